"""ISO 8583 authorisation messages, already parsed into data elements, mapped to a transaction. The table is docs/iso8583.md.

A card number never comes in: the switch tokenises first, and a message that still carries field 2, track data or a PIN block is refused.
The year, which field 7 lacks, is the one that puts the transmission closest to the time of reception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from meshkit.errors import FieldViolation, InvalidArgument

from risk_scoring.domain.countries import ALPHA2
from risk_scoring.domain.currencies import ALPHABETIC
from risk_scoring.domain.identity import INVALID_TRANSACTION, CardIdentity
from risk_scoring.domain.transaction import Channel, Transaction

SENSITIVE_ELEMENTS = {2: "primary account number", 14: "expiry", 35: "track 2", 36: "track 3", 45: "track 1", 52: "PIN block"}
_CASH_CODES = {"01", "17"}  # processing code, first two digits: withdrawal, cash advance
_TRANSFER_CODES = {"40", "41", "42", "43", "44", "45", "46", "47", "48", "49"}  # cardholder account transfers
_ECOMMERCE_CONDITIONS = {"08", "59"}  # field 25: mail or telephone order, electronic commerce
_ECOMMERCE_ENTRY_MODES = {"81", "10"}  # field 22, first two digits: electronic commerce, credential on file


@dataclass(frozen=True, slots=True)
class CardTokens:
    """What the bank's tokenisation puts in place of card number and accounts."""

    customer_id: str
    account_id: str
    instrument_token: str
    counterparty_account_id: str = ""
    device_id: str = ""


def transaction(
    elements: Mapping[int, str], message_type: str, tokens: CardTokens, tenant: str, received_time_s: float, utc_offset_minutes: int
) -> Transaction:
    """Map data elements (by number) to a validated transaction.

    ``utc_offset_minutes``: local time of the terminal, from the switch's terminal data; fields 12 and 13 are in that time. Raises
    InvalidArgument (INVALID_TRANSACTION) naming fields as ``iso8583.N``.
    """
    present = [f"iso8583.{number}" for number in SENSITIVE_ELEMENTS if elements.get(number)]
    if present:
        raise InvalidArgument(
            "the message carries card data that must not leave the switch",
            reason=INVALID_TRANSACTION,
            violations=tuple(FieldViolation(field, "must be tokenised away") for field in present),
        )
    sent = _transmitted(elements, received_time_s)
    channel = _channel(elements)
    return Transaction(
        tenant=tenant,
        identity=CardIdentity(
            acquirer_id=_text(elements, 32),
            stan=_text(elements, 11),
            rrn=_text(elements, 37),
            transmission_date=sent.strftime("%Y%m%d"),
            message_type=message_type,
        ),
        channel=channel,
        event_time_us=_local_time_us(elements, sent, utc_offset_minutes),
        amount_minor=_digits(elements, 4, 12),
        currency=_code(elements, 49, ALPHABETIC, "currency"),
        customer_id=tokens.customer_id,
        account_id=tokens.account_id,
        instrument_token=tokens.instrument_token,
        counterparty_account_id=tokens.counterparty_account_id,
        merchant_id=_text(elements, 42),
        terminal_id=_text(elements, 41),
        mcc=_text(elements, 18),
        device_id=tokens.device_id,
        country_code=_code(elements, 19, ALPHA2, "country") if elements.get(19) else "",
        utc_offset_minutes=utc_offset_minutes,
    ).validated()


def _channel(elements: Mapping[int, str]) -> Channel:
    code = elements.get(3, "")
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        raise _wrong(3, "must be 6 digits")
    if code[:2] in _TRANSFER_CODES:
        return Channel.TRANSFER
    if code[:2] in _CASH_CODES and elements.get(18) == "6011":
        return Channel.ATM
    if elements.get(25, "") in _ECOMMERCE_CONDITIONS or elements.get(22, "")[:2] in _ECOMMERCE_ENTRY_MODES:
        return Channel.ECOMMERCE
    return Channel.CARD_PRESENT


def _transmitted(elements: Mapping[int, str], received_time_s: float) -> datetime:
    """Field 7, MMDDhhmmss in UTC, with the year that lies closest to the reception."""
    received = datetime.fromtimestamp(received_time_s, UTC)
    return _closest(7, elements.get(7, ""), received, UTC)


def _local_time_us(elements: Mapping[int, str], sent: datetime, utc_offset_minutes: int) -> int:
    """Fields 13 (MMDD) and 12 (hhmmss), local to the terminal; a message without them happened when it was sent."""
    if abs(utc_offset_minutes) > 840:
        raise InvalidArgument(
            "the offset is invalid", reason=INVALID_TRANSACTION, violations=(FieldViolation("utc_offset_minutes", "must be -840 to 840"),)
        )
    moment = sent
    if elements.get(12) or elements.get(13):
        zone = timezone(timedelta(minutes=utc_offset_minutes))
        moment = _closest(13, elements.get(13, "") + elements.get(12, ""), sent, zone)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _closest(number: int, text: str, near: datetime, zone: timezone) -> datetime:
    if len(text) != 10 or not text.isascii() or not text.isdigit():
        raise _wrong(number, "must be MMDDhhmmss")
    candidates = []
    for year in (near.year - 1, near.year, near.year + 1):
        try:
            candidates.append(datetime.strptime(f"{year:04d}{text}", "%Y%m%d%H%M%S").replace(tzinfo=zone))
        except ValueError:  # the 29th of February of another year
            continue
    if not candidates:
        raise _wrong(number, "must be a date and time")
    return min(candidates, key=lambda moment: abs(moment - near))


def _digits(elements: Mapping[int, str], number: int, length: int) -> int:
    text = elements.get(number, "")
    if len(text) != length or not text.isascii() or not text.isdigit():
        raise _wrong(number, f"must be {length} digits")
    return int(text)


def _code(elements: Mapping[int, str], number: int, table: Mapping[str, str], what: str) -> str:
    code = table.get(elements.get(number, ""))
    if code is None:
        raise _wrong(number, f"must be a numeric ISO {what} code")
    return code


def _text(elements: Mapping[int, str], number: int) -> str:
    """Fixed-length fields are padded with spaces on the right."""
    return elements.get(number, "").rstrip(" ")


def _wrong(number: int, description: str) -> InvalidArgument:
    field = f"iso8583.{number}"
    return InvalidArgument("the card message is invalid", reason=INVALID_TRANSACTION, violations=(FieldViolation(field, description),))
