"""Observations and transactions to test with. Times are around ``NOW``, the start of an hour."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import transaction_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.testing.keys import keyed_ids
from risk_scoring import translate
from risk_scoring.domain.decision import Request
from risk_scoring.domain.features import INDEX
from risk_scoring.domain.observation import Candidate, CapPolicy, Change, Observation
from risk_scoring.steps.identify import Identifier

HOUR, DAY = 3_600, 86_400
NOW = 20_716 * DAY + 9 * HOUR
KEYS = keyed_ids()
TENANT = "bank-a"
NO_CAP = CapPolicy(300, 1.0, 1)
TRACE = (0x0123456789ABCDEF0123456789ABCDEF, 0x0123456789ABCDEF, False)


def key(name: str) -> bytes:
    """A keyed hash of a name; empty for none."""
    return KEYS.entity_key(TENANT, name)


def seen(number: int, *, customer: str = "c", party: str = "p", device: str = "", account: str = "a", **changes: Any) -> Observation:
    """Transaction ``number`` at ``NOW``."""
    made = Observation(
        decision_id=UUID(int=number).bytes, fingerprint=b"f" * 16, customer_key=key(customer), counterparty_key=key(party),
        device_key=key(device), account_key=key(account),
        time_s=NOW, amount_minor=10_000, channel=1, local_hour=9, local_weekday=1, place=7,
    )  # fmt: skip
    return made._replace(**changes)


def candidate(observation: Observation, decision: bytes, *, scope: str = TENANT, capped: bytes = b"") -> Candidate:
    """A decision that wants to win."""
    milder = b"audit of " + capped if capped else b""
    return Candidate(observation.decision_id, observation.fingerprint, scope, decision, b"audit of " + decision, capped, milder)


def label(observation: Observation, label_id: str, *, fraud: int = 1, genuine: int = 0) -> Change:
    """A label as the store takes it."""
    return Change("label", observation, fraud, genuine, 0, f"label:{label_id}")


def feature(vectors: Any, name: str, row: int = -1) -> float:
    """One feature of one row."""
    return float(vectors[row][INDEX[name]])


def uetr(number: int) -> str:
    """A UUIDv4 with this number in it."""
    return str(UUID(int=number << 80 | 0x4000 << 64 | 0x8000_0000_0000_0000))


def payment(number: int, *, event_time_s: float = NOW, **changes: Any) -> pb.TransactionAuthorizationRequested:
    """A valid card payment; ``changes`` replace fields of the message."""
    fields: dict[str, Any] = {
        "tenant": TENANT,
        "identity": pb.TransactionIdentity(uetr=uetr(number)),
        "channel": pb.CHANNEL_CARD_PRESENT,
        "event_time": Timestamp(seconds=int(event_time_s)),
        "amount": Money(currency_code="CNY", amount_minor=12_345),
        "customer_id": "CUST-zhangwei-001",
        "account_id": "ACCT-6217-0001",
        "merchant_id": "MERCHANT-0001",
        "terminal_id": "TERMINAL-0001",
        "merchant_category_code": "5411",
        "device_id": "DEVICE-0001",
        "geo": pb.Geo(country_code="CN", region_code="31"),
        "utc_offset_minutes": 480,
    }
    return pb.TransactionAuthorizationRequested(**(fields | changes))


def transfer(number: int, *, event_time_s: float = NOW, **changes: Any) -> pb.TransactionAuthorizationRequested:
    """A valid credit transfer."""
    fields: dict[str, Any] = {
        "channel": pb.CHANNEL_TRANSFER,
        "counterparty_account_id": "ACCT-6217-0002",
        "merchant_id": "",
        "terminal_id": "",
    }
    return payment(number, event_time_s=event_time_s, **(fields | changes))


def identifier() -> Identifier:
    """Identifies with the test keys; every currency counts one to one."""
    return Identifier(KEYS, lambda amount_minor, currency: amount_minor)


def request(message: pb.TransactionAuthorizationRequested, *, partition: int = -1, offset: int = -1) -> Request:
    """What the use cases take."""
    transaction = translate.transaction(message)
    return Request(transaction, identifier().observation(transaction), TRACE, partition=partition, offset=offset)
