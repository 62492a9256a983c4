"""Routers as far as evidence goes, on a real Redis: each with connections of its own, and each may be killed at any call."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.clock import Clock, FakeClock
from meshkit.config import RedisSettings
from meshkit.errors import Unavailable
from meshkit.telemetry.context import TraceContext
from router.adapters.redis_open_generations import RedisOpenGenerations
from router.domain.evidence import EvidenceTiming
from router.steps.evidence import Evidence
from router.steps.sweep import Sweeper

from tests.unit.router.generations import codec

if TYPE_CHECKING:
    from tests.stack import PrivateRedis  # which a process that is to be killed has no use for

PREFIX = "finmesh:router:"
LEASE_S = 30.0


class Killed(BaseException):
    """The process is dead: nothing of it happens any more."""


@dataclass
class AuditLog:
    """The log, as far as it is written: it has every record that was acknowledged, and may have others."""

    records: list[bytes] = field(default_factory=list)
    is_down: bool = False

    async def write(self, records: Sequence[bytes], traces: Sequence[TraceContext] = ()) -> None:
        await asyncio.sleep(0)
        if self.is_down:
            raise Unavailable("down", reason="EVENT_LOG_DOWN")
        self.records += records

    def told(self) -> dict[str, dict[str, set[bytes]]]:
        """By generation: the different records of its start and of its end."""
        found: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: {"started": set(), "ended": set()})
        for content in self.records:
            generation = AuditRecord.FromString(content).generation
            found[generation.generation_id][generation.WhichOneof("event")].add(content)
        return found


@dataclass
class Life:
    """Counts the calls of a process to anything outside, and ends it before or after one of them."""

    dies_at: int = -1
    is_before: bool = True
    calls: int = 0
    is_dead: bool = False

    def mortal(self, outside: Any) -> Any:
        return _Mortal(outside, self)

    async def call(self, work: Any, arguments: Any) -> Any:
        number, self.calls = self.calls, self.calls + 1
        if self.is_dead or (number == self.dies_at and self.is_before):
            self.is_dead = True
            raise Killed
        answer = await work(*arguments)
        if self.is_dead or number == self.dies_at:
            self.is_dead = True
            raise Killed
        return answer


@dataclass
class Unlucky(Life):
    """Calls of ``fails`` (by number) come to nothing; of those with True nobody hears that they were done all the same."""

    fails: dict[int, bool] = field(default_factory=dict)

    async def call(self, work: Any, arguments: Any) -> Any:
        number, self.calls = self.calls, self.calls + 1
        if number not in self.fails:
            return await work(*arguments)
        if self.fails[number]:
            await work(*arguments)
        raise Unavailable("no answer", reason="EVIDENCE_DOWN")


class _Mortal:
    def __init__(self, outside: Any, life: Life) -> None:
        self._outside = outside
        self._life = life

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._outside, name)

        async def called(*arguments: Any) -> Any:
            return await self._life.call(work, arguments)

        return called


@dataclass
class Health:
    missing: dict[str, str] = field(default_factory=dict)

    def degraded(self, component: str, reason: str) -> None:
        self.missing[component] = reason

    def not_ready(self, component: str, reason: str) -> None:
        self.degraded(component, reason)

    def recovered(self, component: str) -> None:
        self.missing.pop(component, None)


@dataclass
class Router:
    """One router. ``clock`` is its own: it may be anywhere."""

    store: RedisOpenGenerations
    evidence: Evidence
    sweeper: Sweeper
    clock: Any
    health: Health

    async def sweep(self) -> int:
        """Sweep now, with the time behind it that a router lets pass first."""
        self.clock.advance(LEASE_S)
        return await self.sweeper.sweep()


@asynccontextmanager
async def routed(
    redis: PrivateRedis, log: AuditLog, life: Life | None = None, clock: Clock | None = None, timing: EvidenceTiming | None = None
) -> AsyncIterator[Router]:
    """A router of its own."""
    timing, clock, life, health = timing or EvidenceTiming(lease_s=LEASE_S), clock or FakeClock(), life or Life(), Health()
    store = RedisOpenGenerations(RedisSettings(url=redis.url), PREFIX, timing.lease_s, timing.sweep_s)
    try:
        records = codec(clock)
        evidence = Evidence(records, life.mortal(store), life.mortal(log), clock, timing, health)
        sweeper = Sweeper(records, life.mortal(store), life.mortal(log), clock, timing)
        yield Router(store, evidence, sweeper, clock, health)
    finally:
        await store.aclose()


async def passed(router: Router) -> None:
    """Let every lease be over, the sweeper's too."""
    redis = router.store._redis
    for generation in await redis.zrange(PREFIX + "leases", 0, -1):
        await redis.zadd(PREFIX + "leases", {generation: 1})
    await redis.delete(PREFIX + "sweeper")


async def kept(router: Router) -> set[str]:
    """What the store still knows of open generations."""
    keys = await router.store._redis.keys(PREFIX + "*")
    return {key.decode().removeprefix(PREFIX) for key in keys} - {"sweeper"} - {k.decode()[len(PREFIX) :] for k in keys if b":done:" in k}
