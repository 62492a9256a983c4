"""Evidence of generations: a start in the audit log before the first byte, exactly one end before the last, whoever dies in between.

Between the two a generation is open in the store under a lease. In order::

    open in the store → start in the log → tokens, a checkpoint every so many → claim of the end in the store → end in the log → settled

A claim stores the bytes of the end and there is one claim alone; whoever finds claimed bytes writes those, and the log takes the same bytes
twice for once. A router that can't renew its leases gives its generations up before anybody may close them. Both are decided by the store's
clock and by durations here: no two clocks are compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from meshkit.clock import Clock
from meshkit.errors import Unavailable
from meshkit.events import backoff
from meshkit.events.health import Health
from meshkit.telemetry.context import current

from router.domain.evidence import Checkpoint, EvidenceTiming
from router.domain.generation import EndFacts, StartFacts
from router.ports import OpenGenerations, RecordCodec, RecordLog

COMPONENT = "evidence"
_COALESCED_S = 0.05  # checkpoints that come together are written together
_TOLD_S = 120.0  # ends in the log are told to the store again this long
_CLOSED, _FORGOTTEN = 0, -1
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Mine:
    """A generation of this process. ``until_s``: until when its lease surely runs, on our monotonic clock; ``until_ms``: on the store's."""

    last: Checkpoint
    started: bytes
    begun_s: float
    until_s: float
    until_ms: int


class Evidence:
    """See ``ports.GenerationRecords``. ``run`` has to run beside it."""

    def __init__(
        self, codec: RecordCodec, store: OpenGenerations, log: RecordLog, clock: Clock, timing: EvidenceTiming, health: Health
    ) -> None:
        self._codec = codec
        self._store = store
        self._log = log
        self._clock = clock
        self._timing = timing
        self._health = health
        self._mine: dict[str, _Mine] = {}
        self._changed: set[str] = set()  # with a checkpoint that is not written down yet
        self._in_log: dict[str, float] = {}  # ended here; until when the store is told
        self._new_in_log: list[str] = []  # of these, what the store was not told once
        self._ending: set[asyncio.Task[str]] = set()
        self._waiting = asyncio.Event()
        self._beat_s = clock.monotonic_s()

    async def started(self, facts: StartFacts) -> str:
        """Open a generation and record its start."""
        record, now_s = self._codec.started(facts), self._clock.monotonic_s()
        last = Checkpoint(facts.generation_id, 0, self._now_us())
        until_ms = await self._store.open(last, record.content)
        if until_ms == _CLOSED:
            raise _lost()
        self._mine[facts.generation_id] = _Mine(last, record.content, now_s, now_s + self._timing.lease_s, until_ms)
        try:
            context = current()
            await self._log.write([record.content], [context] if context is not None and context.sampled else [])
        except BaseException:
            self._give_up(facts.generation_id)  # whether the start was written is unknown: a sweeper writes both
            raise
        return record.id

    def checkpoint(self, generation_id: str, output_tokens: int) -> None:
        """Note how far a generation has come."""
        mine = self._mine.get(generation_id)
        if mine is None or self._clock.monotonic_s() >= mine.until_s:
            self._give_up(generation_id)
            raise _lost()
        mine.last = Checkpoint(generation_id, output_tokens, self._now_us())
        self._changed.add(generation_id)
        self._waiting.set()

    async def ended(self, facts: EndFacts) -> str:
        """Claim the end and record it, also when nobody waits for it any more."""
        task = asyncio.create_task(self._end(facts))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Wait for ends that are being recorded, and settle what is recorded; called when no generation runs any more."""
        await asyncio.gather(*self._ending, return_exceptions=True)
        try:
            await self.beat()
        except Unavailable:
            return  # a sweeper writes the same ends again

    async def _end(self, facts: EndFacts) -> str:
        mine = self._mine.pop(facts.generation_id, None)
        if mine is None:
            raise _lost()
        record = self._codec.ended(facts, mine.started)
        deadline_s = self._clock.monotonic_s() + self._timing.end_s
        stands = await self._tried(lambda: self._store.claim(facts.generation_id, mine.started, record.content, mine.until_ms), deadline_s)
        if stands != record.content:
            raise _lost()
        context = current()
        traces = [context] if context is not None and context.sampled else []
        await self._tried(lambda: self._log.write([record.content], traces), deadline_s)
        self._is_in_log(facts.generation_id)
        return record.id

    async def _tried(self, work: Callable[[], Awaitable[_Result]], deadline_s: float) -> _Result:
        """Return what ``work`` returns; it is repeated while it is Unavailable and there is time."""
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(max(deadline_s - self._clock.monotonic_s(), 0.001)):
                    return await work()
            except TimeoutError:
                raise Unavailable("the end of the generation could not be recorded in time", reason="NOT_RECORDED") from None
            except Unavailable:
                if self._clock.monotonic_s() >= deadline_s:
                    raise
                attempt = await backoff.pause(attempt)

    async def run(self) -> None:
        """Renew, write checkpoints down and settle, for ever."""
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(max(self._beat_s - self._clock.monotonic_s(), 0)):
                    await self._waiting.wait()
                await asyncio.sleep(_COALESCED_S)
            except TimeoutError:
                pass
            self._waiting.clear()
            try:
                await self.beat()
            except Unavailable:
                attempt = await backoff.pause(attempt)
            else:
                attempt = 0

    async def beat(self) -> None:
        """Renew what is due and write checkpoints down: one call of the store. Raises Unavailable."""
        now_s = self._clock.monotonic_s()
        is_due = now_s >= self._beat_s
        for generation_id in [key for key, mine in self._mine.items() if now_s - mine.begun_s >= self._timing.longest_s]:
            self._give_up(generation_id)
        wanted = list(self._mine) if is_due else [each for each in self._changed if each in self._mine]
        self._changed.clear()
        in_log, self._new_in_log = list(self._in_log) if is_due else self._new_in_log, []
        try:
            await self._renewed(wanted, in_log, now_s)
        except BaseException as error:
            self._changed |= set(wanted)
            if isinstance(error, Unavailable):
                self._health.degraded(COMPONENT, error.reason)
            raise
        self._health.recovered(COMPONENT)
        if is_due:
            self._beat_s = now_s + self._timing.heartbeat_s
            self._in_log = {key: until_s for key, until_s in self._in_log.items() if until_s > now_s}

    async def _renewed(self, wanted: list[str], in_log: list[str], now_s: float) -> None:
        alive = [self._mine[each].last for each in wanted]
        for last, answer in zip(alive, await self._store.renew(alive, in_log), strict=True):
            mine = self._mine.get(last.generation_id)
            if mine is None:
                continue
            until_ms = await self._store.open(mine.last, mine.started, mine.until_ms) if answer == _FORGOTTEN else answer
            if until_ms == _CLOSED:
                self._give_up(last.generation_id)
            else:
                mine.until_s, mine.until_ms = now_s + self._timing.lease_s, until_ms

    def _is_in_log(self, generation_id: str) -> None:
        self._in_log[generation_id] = self._clock.monotonic_s() + _TOLD_S
        self._new_in_log.append(generation_id)
        self._waiting.set()

    def _give_up(self, generation_id: str) -> None:
        self._mine.pop(generation_id, None)
        self._changed.discard(generation_id)

    def _now_us(self) -> int:
        return int(self._clock.now_s() * 1_000_000)


def _lost() -> Unavailable:
    return Unavailable("the generation could not be kept in evidence and is closed by another router", reason="EVIDENCE_LOST")


def _looked_at(task: asyncio.Task[str]) -> None:
    """Take note of the outcome for a caller that went away; the store knows the rest."""
    if not task.cancelled():
        task.exception()
