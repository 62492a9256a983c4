"""ISO 20022 FI to FI customer credit transfers (pacs.008): one document, many transfers, each a transaction of its own.

The XML is read by an adapter into the plain records below. Names, addresses and remittance texts have no place in them: they are personal
data and nothing here needs them. A transfer that is wrong fails alone; a document that cannot be read fails as a whole
(MALFORMED_DOCUMENT).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

from meshkit.errors import FieldViolation, InvalidArgument

from risk_scoring.domain.currencies import EXPONENT
from risk_scoring.domain.identity import INVALID_TRANSACTION, CreditTransferIdentity, Identity, Uetr
from risk_scoring.domain.transaction import Channel, Transaction

MALFORMED_DOCUMENT = "MALFORMED_DOCUMENT"
_END_OF_DAY = re.compile(r"T24(?=(?::?00(?::?00(?:[.,]0+)?)?)?(?:[Zz+-]|\Z))")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GroupHeader:
    """What the transfers of one document share. ``utc_offset_minutes``: local time of the bank, for times that state no offset."""

    tenant: str
    message_id: str
    creation_time: str
    utc_offset_minutes: int


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """What counts of one CdtTrfTxInf; absent texts are empty, all texts as they stand in the document.

    ``sender``: instructing agent (BIC or clearing member id), of the transfer or else of the group. ``debtor_id``: the customer number the
    bank gave (scheme CUST), never an identity document. ``ambiguous``: elements of which the document holds more than the one that counts.
    """

    group: GroupHeader
    index: int
    uetr: str
    end_to_end_id: str
    sender: str
    amount: str
    currency: str
    acceptance_time: str
    debtor_id: str
    debtor_account: str
    debtor_country: str
    creditor_account: str
    ambiguous: tuple[str, ...] = ()

    def transaction(self) -> Transaction:
        """The validated transaction; raises InvalidArgument (INVALID_TRANSACTION), which concerns this transfer alone."""
        if self.ambiguous:
            raise _invalid(*((path, "stands more than once or is not plain") for path in self.ambiguous))
        event_time_us, offset_minutes = _event_time(self.acceptance_time or self.group.creation_time, self.group.utc_offset_minutes)
        account = _canonical(self.debtor_account)
        return Transaction(
            tenant=self.group.tenant,
            identity=_identity(self),
            channel=Channel.TRANSFER,
            event_time_us=event_time_us,
            amount_minor=amount_minor(self.amount, self.currency),
            currency=self.currency,
            customer_id=_canonical(self.debtor_id) or account,
            account_id=account,
            counterparty_account_id=_canonical(self.creditor_account),
            country_code=self.debtor_country,
            utc_offset_minutes=offset_minutes,
        ).validated()


def malformed(description: str) -> InvalidArgument:
    """The error of a document that cannot be read as a whole; the text names no content."""
    return InvalidArgument(f"the pacs.008 document is malformed: {description}", reason=MALFORMED_DOCUMENT)


def amount_minor(amount: str, currency: str) -> int:
    """Exact minor units of a decimal text; raises InvalidArgument (INVALID_TRANSACTION) for more digits than the currency has."""
    exponent = EXPONENT.get(currency)
    if exponent is None:
        raise _invalid(("amount.currency_code", "must be an ISO 4217 currency code"))
    digits = amount.removeprefix("+").lstrip("0") or "0"  # xs:decimal allows both
    plain = digits.isascii() and digits.replace(".", "", 1).isdigit()  # no other sign, no exponent, no full-width digits
    try:
        minor = Decimal(digits).scaleb(exponent) if plain and len(digits) <= 24 else None
    except InvalidOperation:
        minor = None
    if minor is None or not amount:
        raise _invalid(("amount.amount_minor", "must be a plain decimal of at most 24 characters"))
    if minor != minor.to_integral_value():
        raise _invalid(("amount.amount_minor", f"has more than the {exponent} decimals of its currency"))
    return int(minor)


def _identity(transfer: CreditTransfer) -> Identity:
    if transfer.uetr:
        return Uetr(transfer.uetr)
    sender, message_id, end_to_end_id = (_canonical(text) for text in (transfer.sender, transfer.group.message_id, transfer.end_to_end_id))
    return CreditTransferIdentity(sender, message_id, end_to_end_id, transfer.index)


def _canonical(text: str) -> str:
    """Unicode NFC: a document may come from a system that decomposes."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _event_time(text: str, offset_minutes: int) -> tuple[int, int]:
    """Microseconds since 1970 UTC and the offset that the text states, or else ``offset_minutes``.

    As in xs:dateTime, 24:00:00 is the end of a day, the first moment of the next one. A leap second (:60) has no place in it.
    """
    end_of_day = _END_OF_DAY.search(text)
    try:
        moment = datetime.fromisoformat(text if end_of_day is None else f"{text[: end_of_day.start()]}T00{text[end_of_day.end() :]}")
        moment += timedelta(days=end_of_day is not None)
    except (ValueError, OverflowError):
        raise _invalid(("event_time", "must be an ISO 8601 date and time")) from None
    if "T" not in text:
        raise _invalid(("event_time", "must be an ISO 8601 date and time"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    elif text[-1] not in "Zz":
        offset_minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    return (moment - _EPOCH) // timedelta(microseconds=1), offset_minutes


def _invalid(*wrong: tuple[str, str]) -> InvalidArgument:
    violations = tuple(FieldViolation(field, description) for field, description in wrong)
    return InvalidArgument("the transfer is invalid", reason=INVALID_TRANSACTION, violations=violations)
