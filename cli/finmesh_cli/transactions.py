"""Transactions to send: from options, from a JSON file, or sampled from the simulated bank."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from finmesh.risk.v1 import transaction_pb2 as pb
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from finmesh_cli import files
from finmesh_cli.failures import UsageError
from finmesh_cli.settings import usable_tenant

DAY_S = 86_400


def now() -> Timestamp:
    """Return the present time."""
    return Timestamp(seconds=int(time.time()))


def moment(text: str) -> Timestamp:
    """Return an RFC 3339 time, the present one for no text. Raises UsageError."""
    if not text:
        return now()
    stamp = Timestamp()
    try:
        datetime.fromisoformat(text)  # which knows that no offset is +99:00
        stamp.FromJsonString(text)
    except (ValueError, OverflowError):
        raise UsageError(f"{text[:40]} is no time: 2026-11-22T09:30:00+08:00 is one") from None
    return stamp


def from_json(path: Path, tenant: str) -> pb.TransactionAuthorizationRequested:
    """Read a transaction in protobuf's JSON mapping; tenant and event time are filled in where missing. Raises UsageError."""
    try:
        message = json_format.Parse(files.text(path), pb.TransactionAuthorizationRequested())
    except (json_format.ParseError, RecursionError) as error:
        raise UsageError(f"{path} is no transaction: {error}") from None
    message.tenant = usable_tenant(message.tenant or tenant, f"tenant of {path}")
    if not message.HasField("event_time"):
        message.event_time.CopyFrom(now())
    if message.identity.WhichOneof("identity") is None:
        message.identity.CopyFrom(new_identity(message.channel))
    return message


def new_identity(channel: int) -> pb.TransactionIdentity:
    """Return the identity of a transaction that was never sent before: a UETR, or a card message's fields."""
    if channel in (pb.CHANNEL_TRANSFER, pb.CHANNEL_UNSPECIFIED):
        return pb.TransactionIdentity(uetr=str(uuid.uuid4()))
    number = uuid.uuid4().int
    return pb.TransactionIdentity(
        card=pb.CardIdentity(
            acquirer_id="62000001",
            stan=f"{number % 10**6:06d}",
            rrn=f"{number // 10**6 % 10**12:012d}",
            transmission_date=f"{datetime.now(UTC):%Y%m%d}",
            message_type="0100",
        )
    )


def sample(tenant: str, seed: int) -> pb.TransactionAuthorizationRequested:
    """Return one payment of a simulated customer, happening now, under an identity of its own."""
    from simbank.day import genuine_day
    from simbank.population import build_population
    from simbank.translate import Translator

    population = build_population(1_000, seed=seed)
    day = genuine_day(population, int(time.time()) // DAY_S)
    message = Translator(population, run=time.time_ns()).request(day, time.time_ns() // 1000 % len(day))
    message.tenant = tenant
    message.event_time.CopyFrom(now())
    message.identity.CopyFrom(new_identity(message.channel))
    return message
