"""How a record begins that is no decision's, and the records of versions that come in force."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from finmesh.audit.v1.audit_record_pb2 import (
    VERSIONED_CHANNELS,
    VERSIONED_KEYS,
    VERSIONED_POLICIES,
    VERSIONED_RULES,
    VERSIONED_SHADOW_RULES,
    VERSIONED_TOKEN_KEYS,
    AuditRecord,
)

from meshkit.clock import Clock
from meshkit.crypto.keyed_ids import uuid7
from meshkit.telemetry.context import current

OPERATOR_TENANT = "finmesh"
"""Whose records they are that are no bank's: reserved, a token for it is the operator's."""

RULES, SHADOW_RULES, CHANNELS = VERSIONED_RULES, VERSIONED_SHADOW_RULES, VERSIONED_CHANNELS
POLICIES, TOKEN_KEYS, KEYS = VERSIONED_POLICIES, VERSIONED_TOKEN_KEYS, VERSIONED_KEYS


def thresholds_sha256(channels_sha256: bytes, card_sha256: bytes) -> bytes:
    """Return the digest of what the thresholds in force follow from: the channel table's file and the model's card."""
    return sha256(channels_sha256 + card_sha256).digest()


class AuditRecords:
    """Begins the records of one service."""

    def __init__(self, service: str, build: str, clock: Clock) -> None:
        self._service = service
        self._build = f"{service}/{build}"
        self._clock = clock

    def new(self, tenant: str = OPERATOR_TENANT) -> AuditRecord:
        """Return a record of what happens now, in the present trace, without detail."""
        record = AuditRecord(audit_record_id=uuid7(), producer=self._service, tenant=tenant, build=self._build)
        record.event_time.FromMicroseconds(int(self._clock.now_s() * 1_000_000))
        record.decided_time.CopyFrom(record.event_time)
        if (context := current()) is not None:
            record.trace_id = context.trace_id_bytes
        return record


class Versions:
    """Remembers the digest of what is in force and records each change of it, the first since the start included."""

    def __init__(self, records: AuditRecords, put: Callable[[AuditRecord], None]) -> None:
        self._records = records
        self._put = put
        self._in_force: dict[int, bytes] = {}

    def in_force(self, of: int, digest: bytes) -> None:
        """Take note that the version with this SHA-256 is in force, empty for none."""
        before = self._in_force.get(of, b"")
        if digest == before:
            return
        self._in_force[of] = digest
        record = self._records.new()
        version = record.change.version
        version.of, version.before_sha256, version.after_sha256 = of, before, digest  # type: ignore[assignment]
        self._put(record)
