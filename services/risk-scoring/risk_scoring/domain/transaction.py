"""One transaction as the domain sees it: a plain immutable record, checked as a whole.

Surprising: the check is one regular expression over all texts joined by a separator that no valid text may contain; only when it fails are
the fields looked at one by one, to name every wrong one. A card number in the clear is refused wherever an instrument token belongs.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from meshkit import tenants
from meshkit.errors import FieldViolation, InvalidArgument

from risk_scoring.domain.currencies import EXPONENT
from risk_scoring.domain.identity import INVALID_TRANSACTION, Identity, identity_violations

MAX_AMOUNT_MINOR = 10**15  # below 2^53 with room for sums: scripts count in doubles
MAX_EVENT_TIME_US = 253_402_300_799_999_999  # end of the year 9999
MAX_TOKEN_LENGTH = 64
MAX_OFFSET_MINUTES = 840


class Channel(IntEnum):
    """How a transaction reaches the bank; numbers of finmesh.risk.v1.Channel."""

    CARD_PRESENT = 1
    ECOMMERCE = 2
    TRANSFER = 3
    ATM = 4


_ECOMMERCE, _TRANSFER = int(Channel.ECOMMERCE), int(Channel.TRANSFER)  # a member is looked up slowly

CHANNEL_NAMES: tuple[str, ...] = ("unspecified", "card_present", "ecommerce", "transfer", "atm")  # by number

_REQUIRED: dict[int, tuple[str, ...]] = {
    Channel.CARD_PRESENT: ("merchant_id", "terminal_id"),
    Channel.ECOMMERCE: ("merchant_id",),
    Channel.TRANSFER: ("counterparty_account_id",),
    Channel.ATM: ("terminal_id",),
}
_TOKENS = (
    "customer_id", "account_id", "counterparty_account_id", "merchant_id", "terminal_id", "device_id", "instrument_token",
)  # fmt: skip
_MCC = re.compile(r"(?:[0-9]{4})?")
_COUNTRY = re.compile(r"(?:[A-Z]{2})?")
_PLAIN_REGION = re.compile(r"[!-~]{0,16}")
_PLAIN_TOKEN = re.compile(r"[!-~]{1,64}")
_CARD_NUMBER = re.compile(r"[0-9]{12,19}")


@dataclass(frozen=True, slots=True)
class Transaction:
    """The fields of TransactionAuthorizationRequested. Absent texts are empty, times are microseconds since 1970 UTC."""

    tenant: str
    identity: Identity
    channel: int
    event_time_us: int
    amount_minor: int
    currency: str
    customer_id: str
    account_id: str
    instrument_token: str = ""
    counterparty_account_id: str = ""
    merchant_id: str = ""
    terminal_id: str = ""
    mcc: str = ""
    device_id: str = ""
    country_code: str = ""
    region_code: str = ""
    utc_offset_minutes: int = 0

    def validated(self) -> Self:
        """Return itself; raise InvalidArgument (INVALID_TRANSACTION) listing every wrong field by its dotted proto path."""
        pattern = _WHOLE.get(self.channel)
        if (
            pattern is not None
            and pattern.fullmatch(
                f"{self.tenant}\x1f{self.customer_id}\x1f{self.account_id}\x1f{self.counterparty_account_id}\x1f{self.merchant_id}\x1f"
                f"{self.terminal_id}\x1f{self.device_id}\x1f{self.mcc}\x1f{self.country_code}\x1f{self.region_code}\x1f{self.instrument_token}"
            )
            and 0 < self.amount_minor <= MAX_AMOUNT_MINOR
            and self.currency in EXPONENT
            and 0 < self.event_time_us <= MAX_EVENT_TIME_US
            and -MAX_OFFSET_MINUTES <= self.utc_offset_minutes <= MAX_OFFSET_MINUTES
            and not identity_violations(self.identity)
        ):
            return self
        violations = tuple(_violations(self))
        if violations:
            raise InvalidArgument("the transaction is invalid", reason=INVALID_TRANSACTION, violations=violations)
        return self

    @property
    def counterparty_id(self) -> str:
        """The other side whose history counts: the terminal, the merchant of an internet shop, or the receiving account."""
        if self.channel == _TRANSFER:
            return self.counterparty_account_id
        return self.merchant_id if self.channel == _ECOMMERCE else self.terminal_id


def _whole(required: tuple[str, ...]) -> re.Pattern[str]:
    counterparties = ["[!-~]{1,64}" if name in required else "[!-~]{0,64}" for name in _TOKENS[2:-1]]
    parts = [
        tenants.TENANT.pattern, _PLAIN_TOKEN.pattern, _PLAIN_TOKEN.pattern, *counterparties,
        _MCC.pattern, _COUNTRY.pattern, _PLAIN_REGION.pattern, r"(?![0-9]{12,19}\Z)[!-~]{0,64}",
    ]  # fmt: skip
    return re.compile("\x1f".join(parts))


_WHOLE: dict[int, re.Pattern[str]] = {int(channel): _whole(required) for channel, required in _REQUIRED.items()}


def _violations(t: Transaction) -> list[FieldViolation]:
    wrong: list[FieldViolation] = []

    def check(good: bool, field: str, description: str) -> None:
        if not good:
            wrong.append(FieldViolation(field, description))

    check(tenants.is_tenant(t.tenant), "tenant", tenants.RULE)
    wrong.extend(identity_violations(t.identity))
    check(t.channel in _REQUIRED, "channel", "must be a known channel")
    check(0 < t.event_time_us <= MAX_EVENT_TIME_US, "event_time", "must lie between 1970 and the year 9999")
    check(0 < t.amount_minor <= MAX_AMOUNT_MINOR, "amount.amount_minor", f"must be 1 to {MAX_AMOUNT_MINOR}")
    check(t.currency in EXPONENT, "amount.currency_code", "must be an ISO 4217 currency code")
    required = {"customer_id", "account_id", *_REQUIRED.get(t.channel, ())}
    for name in _TOKENS:
        problem = token_problem(getattr(t, name), required=name in required)
        check(problem is None, name, problem or "")
    check(not _looks_like_card_number(t.instrument_token), "instrument_token", "must be a token, not a card number")
    check(_MCC.fullmatch(t.mcc) is not None, "merchant_category_code", "must be 4 digits")
    check(_COUNTRY.fullmatch(t.country_code) is not None, "geo.country_code", "must be an ISO 3166-1 alpha-2 code")
    region_problem = token_problem(t.region_code, required=False, limit=16)
    check(region_problem is None, "geo.region_code", region_problem or "")
    check(abs(t.utc_offset_minutes) <= MAX_OFFSET_MINUTES, "utc_offset_minutes", f"must be -{MAX_OFFSET_MINUTES} to {MAX_OFFSET_MINUTES}")
    return wrong


def token_problem(token: str, *, required: bool, limit: int = MAX_TOKEN_LENGTH) -> str | None:
    """Why ``token`` cannot name an entity; None when it can. Printable, no white space, NFC; the bank's own script is fine."""
    if not token:
        return "is required" if required else None
    if len(token) > limit:
        return f"must have at most {limit} characters"
    if not token.isprintable() or " " in token:
        return "must be printable without white space"
    if not unicodedata.is_normalized("NFC", token):
        return "must be in Unicode NFC"
    return None


def _looks_like_card_number(token: str) -> bool:
    """Twelve to nineteen ASCII digits that pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    if not _CARD_NUMBER.fullmatch(token):
        return False
    total = 0
    for position, digit in enumerate(reversed(token)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
