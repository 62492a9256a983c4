"""How a record begins that is no decision's, and the records of versions that come in force."""

from __future__ import annotations

import asyncio
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
    """Records each version that comes in force in this process, the first since its start included.

    It looks at what is in force, so that nobody who reloads anything has to tell; what is in force shorter than ``LOOK_S`` may be missed.
    """

    LOOK_S = 0.25

    def __init__(self, records: AuditRecords, put: Callable[[AuditRecord], None]) -> None:
        self._records = records
        self._put = put
        self._followed: list[tuple[int, str, Callable[[], bytes]]] = []
        self._in_force: dict[tuple[int, str], bytes] = {}

    def follow(self, of: int, digest: Callable[[], bytes], name: str = "") -> None:
        """Look at a SHA-256 from now on, empty for none. ``name``: which one, where there are several."""
        self._followed.append((of, name, digest))
        self.look()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self.LOOK_S)
            self.look()

    def look(self) -> None:
        """Record what came in force since the last look."""
        for of, name, digest in self._followed:
            before, now = self._in_force.get((of, name), b""), digest()
            if now == before:
                continue
            self._in_force[of, name] = now
            record = self._records.new()
            version = record.change.version
            version.of, version.name, version.before_sha256, version.after_sha256 = of, name, before, now  # type: ignore[assignment]
            self._put(record)
