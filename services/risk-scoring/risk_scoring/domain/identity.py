"""What makes a transaction one and the same (D1), and what must not change under that identity (D2).

`decision_key` and `fingerprint_bytes` are canonical and injective: a fixed header of lengths, then the texts. Nothing is normalised here,
because two spellings that we silently made equal would share one decision: text that is not in Unicode NFC is refused, and so are
full-width digits.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from meshkit.errors import FieldViolation, InvalidArgument
from meshkit.tenants import RULE, is_tenant

if TYPE_CHECKING:
    from risk_scoring.domain.transaction import Transaction

INVALID_TRANSACTION = "INVALID_TRANSACTION"
ENCODING_VERSION = 1
MAX_TRANSFER_INDEX = 1_000_000

_UETR = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ACQUIRER = re.compile(r"[0-9]{1,11}")
_STAN = re.compile(r"[0-9]{6}")
_RRN = re.compile(r"[0-9A-Za-z]{12}")
_DATE = re.compile(r"[0-9]{8}")
_MESSAGE_TYPE = re.compile(r"[0-9]{4}")
_CARD = re.compile("\x1f".join(part.pattern for part in (_ACQUIRER, _STAN, _RRN, _DATE, _MESSAGE_TYPE)))  # all at once, as a rule valid
_PLAIN_TEXT = re.compile(r"[!-~](?:[ -~]{0,33}[!-~])?")
_KEY_HEADS = {count: struct.Struct(f">BB{count}H") for count in (2, 5, 6)}
_FINGERPRINT_HEAD = struct.Struct(">BBqq11H")


@dataclass(frozen=True, slots=True)
class Uetr:
    """Unique end-to-end transaction reference (ISO 20022): UUIDv4, lower case with hyphens."""

    value: str


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """A card message in a switch (ISO 8583 fields 32, 11, 37, date of 7 with its year, and the message type indicator)."""

    acquirer_id: str
    stan: str
    rrn: str
    transmission_date: str  # YYYYMMDD, UTC
    message_type: str


@dataclass(frozen=True, slots=True)
class CreditTransferIdentity:
    """A credit transfer that came without a UETR."""

    sender_id: str
    message_id: str
    end_to_end_id: str
    index: int


Identity = Uetr | CardIdentity | CreditTransferIdentity


def decision_key(tenant: str, identity: Identity) -> bytes:
    """Canonical bytes of a decision key; injective over tenants and identities, validated or not (texts up to 65,535 bytes)."""
    if isinstance(identity, Uetr):
        return _packed(b"U", (tenant, identity.value))
    if isinstance(identity, CardIdentity):
        parts = (tenant, identity.acquirer_id, identity.stan, identity.rrn, identity.transmission_date, identity.message_type)
        return _packed(b"C", parts)
    return _packed(b"T", (tenant, identity.sender_id, identity.message_id, identity.end_to_end_id, str(identity.index)))


def identity_violations(identity: Identity) -> tuple[FieldViolation, ...]:
    """Every wrong field, with its path from TransactionAuthorizationRequested; empty when the identity is valid."""
    if isinstance(identity, Uetr):
        if _UETR.fullmatch(identity.value):
            return ()
        return (FieldViolation("identity.uetr", "must be a UUIDv4 in lower case with hyphens"),)
    if isinstance(identity, CardIdentity):
        return _card_violations(identity)
    return _transfer_violations(identity)


def checked_identity(tenant: str, identity: Identity) -> Identity:
    """Return ``identity``; raise InvalidArgument (INVALID_TRANSACTION) listing every wrong field, the tenant included."""
    violations = identity_violations(identity)
    if not is_tenant(tenant):
        violations = (FieldViolation("tenant", RULE), *violations)
    if violations:
        raise InvalidArgument("the identity of the transaction is invalid", reason=INVALID_TRANSACTION, violations=violations)
    return identity


def fingerprint_bytes(transaction: Transaction) -> bytes:
    """Canonical bytes of the business fields, injective: what a retry must repeat. Times of transmission and time zone are left out."""
    t = transaction
    texts = (
        t.currency.encode(), t.customer_id.encode(), t.account_id.encode(), t.instrument_token.encode(),
        t.counterparty_account_id.encode(), t.merchant_id.encode(), t.terminal_id.encode(), t.mcc.encode(),
        t.device_id.encode(), t.country_code.encode(), t.region_code.encode(),
    )  # fmt: skip
    head = _FINGERPRINT_HEAD.pack(ENCODING_VERSION, t.channel, t.event_time_us, t.amount_minor, *map(len, texts))
    return head + b"".join(texts)


def text_problem(text: str, limit: int) -> str | None:
    """Why ``text`` is no acceptable free text id of 1 to ``limit`` characters; None when it is. Chinese text is fine, control characters
    are not.
    """
    if not text or len(text) > limit:
        return f"must have 1 to {limit} characters"
    if text != text.strip():
        return "must not begin or end with white space"
    if any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for c in text):
        return "must not contain control or unassigned characters"
    if not unicodedata.is_normalized("NFC", text):
        return "must be in Unicode NFC"
    return None


def _packed(kind: bytes, parts: tuple[str, ...]) -> bytes:
    texts = [part.encode("utf-8", "surrogatepass") for part in parts]
    return _KEY_HEADS[len(texts)].pack(ENCODING_VERSION, kind[0], *map(len, texts)) + b"".join(texts)


def _card_violations(card: CardIdentity) -> tuple[FieldViolation, ...]:
    if _CARD.fullmatch(f"{card.acquirer_id}\x1f{card.stan}\x1f{card.rrn}\x1f{card.transmission_date}\x1f{card.message_type}") and _is_date(
        card.transmission_date
    ):
        return ()
    wrong = []
    if not _ACQUIRER.fullmatch(card.acquirer_id):
        wrong.append(FieldViolation("identity.card.acquirer_id", "must be 1 to 11 digits"))
    if not _STAN.fullmatch(card.stan):
        wrong.append(FieldViolation("identity.card.stan", "must be 6 digits"))
    if not _RRN.fullmatch(card.rrn):
        wrong.append(FieldViolation("identity.card.rrn", "must be 12 letters or digits"))
    if not _DATE.fullmatch(card.transmission_date) or not _is_date(card.transmission_date):
        wrong.append(FieldViolation("identity.card.transmission_date", "must be a date YYYYMMDD"))
    if not _MESSAGE_TYPE.fullmatch(card.message_type):
        wrong.append(FieldViolation("identity.card.message_type", "must be 4 digits"))
    return tuple(wrong)


def _transfer_violations(transfer: CreditTransferIdentity) -> tuple[FieldViolation, ...]:
    wrong = []
    for name in ("sender_id", "message_id", "end_to_end_id"):
        text = getattr(transfer, name)
        if not _PLAIN_TEXT.fullmatch(text) and (problem := text_problem(text, 35)):
            wrong.append(FieldViolation(f"identity.credit_transfer.{name}", problem))
    if not 0 <= transfer.index <= MAX_TRANSFER_INDEX:
        wrong.append(FieldViolation("identity.credit_transfer.index", f"must be 0 to {MAX_TRANSFER_INDEX}"))
    return tuple(wrong)


@lru_cache(maxsize=64)
def _is_date(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True
