"""Calls that were refused for want of a right, as audit records: each one while they are few, counted when they are many.

With a verified token a refusal is its principal's: one record each, above ten in one second one more record with the count of the others.
Without one nobody knows whose it is, and whoever can open a connection could fill the log: one counting record a minute. Nothing that a
stranger sent is written, only words of our own. A quota that is used up is no want of a right and no denial.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from finmesh.audit.v1.audit_record_pb2 import AuditRecord

from meshkit.audit.records import OPERATOR_TENANT, AuditRecords
from meshkit.clock import Clock
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.ring import Ring
from meshkit.errors import MeshError
from meshkit.rpc.chain import Call
from meshkit.tenants import is_tenant

SINGLES_PER_S = 10
_WINDOW_S, _UNKNOWN_WINDOW_S = 1.0, 60.0
_TICK_S = 0.25
_MAX_PRINCIPALS = 10_000  # of one second; those beyond count as nobody's
_MAX_KINDS = 150  # of one record; the rest is told by reason alone
_WORD = re.compile(r"[A-Za-z0-9._/-]{0,100}")
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused: reason, method of the service, workload on the caller's certificate. Anything but a plain word becomes empty."""

    reason: str
    method: str = ""
    workload: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked with a verified token, and for what. ``purpose``: one that the token grants."""

    subject: str
    tenant: str
    request_id: str = ""
    scenario: str = ""
    purpose: str = ""
    policy_hash: bytes = b""


@dataclass(slots=True)
class _Window:
    """Refusals from ``begin_s`` (monotonic) on: how many had a record of their own, and the count of the others."""

    begin_s: float
    asked: Asked | None
    singles: int = 0
    counts: Counter[Refusal] = field(default_factory=Counter)
    first_us: int = 0
    last_us: int = 0

    def count(self, refusal: Refusal, now_us: int) -> None:
        """Count one; what differs in too many ways is told by its reason alone."""
        if refusal not in self.counts and len(self.counts) >= _MAX_KINDS:
            refusal = Refusal(refusal.reason)
        self.counts[refusal] += 1
        self.first_us = self.first_us or now_us
        self.last_us = now_us


class Denials:
    """Records the refusals of one process. ``put`` queues a record; ``principals`` keys names where tokens are verified, None: nowhere."""

    def __init__(
        self, records: AuditRecords, put: Callable[[AuditRecord], None], principals: Ring[CommitmentKey] | None, clock: Clock
    ) -> None:
        self._records = records
        self._put = put
        self._principals = principals
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._unknown: _Window | None = None

    def verified(self, refusal: Refusal, asked: Asked) -> None:
        """Take note of a call that came with a verified token."""
        now_s = self._clock.monotonic_s()
        whose = (asked.tenant, asked.subject)
        window = self._windows.get(whose)
        if window is not None and now_s - window.begin_s >= _WINDOW_S:
            self._close(self._windows.pop(whose))
            window = None
        if window is None:
            if len(self._windows) >= _MAX_PRINCIPALS:
                self.unverified(refusal)
                return
            window = self._windows[whose] = _Window(now_s, asked)
        if window.singles >= SINGLES_PER_S:
            window.count(_plain(refusal), self._now_us())
            return
        window.singles += 1
        record = self._begun(asked)
        record.request_id, record.scenario, record.purpose = _word(asked.request_id), _word(asked.scenario), _word(asked.purpose)
        _tell(record, _plain(refusal), 1)
        self._put(record)

    def unverified(self, refusal: Refusal) -> None:
        """Take note of a call of which nobody knows whose it is."""
        if self._unknown is None:
            self._unknown = _Window(self._clock.monotonic_s(), None)
        self._unknown.count(_plain(refusal), self._now_us())

    def refused(self, call: Call, error: MeshError) -> None:
        """Take note of a call whose certificate was refused (see ``meshkit.rpc.peer``)."""
        self.unverified(Refusal(error.reason, call.method.rpartition("/")[2], call.peer))

    def tick(self) -> None:
        """Record the counts of windows that are over."""
        now_s = self._clock.monotonic_s()
        for whose in [whose for whose, window in self._windows.items() if now_s - window.begin_s >= _WINDOW_S]:
            self._close(self._windows.pop(whose))
        if self._unknown is not None and now_s - self._unknown.begin_s >= _UNKNOWN_WINDOW_S:
            window, self._unknown = self._unknown, None
            self._close(window)

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            self.tick()

    async def aclose(self) -> None:
        """Record what is counted so far."""
        for window in [*self._windows.values(), *([self._unknown] if self._unknown else [])]:
            self._close(window)
        self._windows.clear()
        self._unknown = None

    def _close(self, window: _Window) -> None:
        if not window.counts:
            return
        record = self._begun(window.asked)
        record.event_time.FromMicroseconds(window.first_us)
        record.decided_time.FromMicroseconds(window.last_us)
        record.trace_id = b""
        for refusal, count in window.counts.items():
            _tell(record, refusal, count)
        self._put(record)

    def _begun(self, asked: Asked | None) -> AuditRecord:
        if asked is None:
            return self._records.new()
        tenant = asked.tenant if is_tenant(asked.tenant) else OPERATOR_TENANT
        record = self._records.new(tenant)
        assert self._principals is not None, "no token is verified here"
        key = self._principals.primary
        record.principal_key, record.commitment_key_id = principal_key(key, tenant, asked.subject), key.id
        record.policy_hash = asked.policy_hash
        return record

    def _now_us(self) -> int:
        return int(self._clock.now_s() * 1_000_000)


def principal_key(key: CommitmentKey, tenant: str, subject: str) -> bytes:
    """Return the 32 bytes that stand for a principal: whoever has the key can say whether it was a certain one."""
    return key.commit(f"{tenant}\x00{subject}".encode())


def _tell(record: AuditRecord, refusal: Refusal, count: int) -> None:
    record.denial.refused.add(reason=refusal.reason, method=refusal.method, workload=refusal.workload, count=count)


def _plain(refusal: Refusal) -> Refusal:
    return Refusal(refusal.reason if _REASON.fullmatch(refusal.reason) else "DENIED", _word(refusal.method), _word(refusal.workload))


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else ""
