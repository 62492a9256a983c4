"""Rule D22: whether the feature store is down, and the way back.

While it is, the event log is the arbiter. This process takes the right to answer each partition from the stream (it initialises the
partition's transactional id, which fences whoever held it) and decides on the log (`steps.decide_on_log`). The stream, fenced, has to
take the partition over again before it goes on, and so learns what was decided here. The way back is the same for this process: restore
first, then use the store.

    WORKING ------- calls fail ------> DOUBTING
     ^  ^ |                              |  |
     |  | |   a question is answered     |  | it is not, or late for too long
     |  '-|------------------------------'  |
     |    |                                 v
     |    '---- late for too long ------> TAKING
     |                                      | the partitions are held
     |                                      v
     |                                     OUT <------------.
     |                                      | restored      |
     |                                      v               |
     |                                   CLOSING            | gone again
     |                                      | none decides  |
     |   the store knows everything         v               |
     '---------------------------------- RETURNING ---------'

The store is used in WORKING and DOUBTING. Calls are decided on the log in TAKING (refused by it until the partitions are read) and OUT,
and refused in CLOSING and RETURNING. What fails in TAKING or OUT is tried again there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from enum import Enum, auto

from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable
from meshkit.service import Service

from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.ports import OutageLog
from risk_scoring.steps.decide_on_log import LogDecider
from risk_scoring.steps.restore import Restorer

log = logging.getLogger(__name__)
_PROBE_S = 0.2
_ANSWER_S = 0.2  # within which a store that is up answers
_TOO_SLOW_S = 2.0  # of nothing but late answers: for calls that is as good as down


class State(Enum):
    """As drawn above."""

    WORKING = auto()
    DOUBTING = auto()
    TAKING = auto()
    OUT = auto()
    CLOSING = auto()
    RETURNING = auto()


_MOVES = {
    State.WORKING: (State.DOUBTING, State.TAKING),
    State.DOUBTING: (State.WORKING, State.TAKING),
    State.TAKING: (State.OUT,),
    State.OUT: (State.CLOSING,),
    State.CLOSING: (State.RETURNING,),
    State.RETURNING: (State.WORKING, State.OUT),
}


class Outage:
    """Knows whether the store is down, lets ``log_decider`` decide meanwhile, and finds the way back."""

    def __init__(
        self, outage_log: OutageLog, restorer: Restorer, log_decider: LogDecider, clock: Clock, health: Service, after_s: float
    ) -> None:
        self._log = outage_log
        self._restorer = restorer
        self._log_decider = log_decider
        self._clock = clock
        self._health = health
        self._after_s = after_s
        self.state = State.WORKING
        self._failing_since_s: float | None = None
        self._failed_last_s = 0.0
        self._doubting: asyncio.Task[None] | None = None
        self._way_back: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._deciding = 0
        self._nobody = asyncio.Event()
        self._publishing: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> bool:
        """Whether the store must not be used now."""
        return self.state not in (State.WORKING, State.DOUBTING)

    def _go(self, state: State) -> None:
        if state not in _MOVES[self.state]:
            raise RuntimeError(f"no way from {self.state.name} to {state.name}")
        self.state = state

    def store_answered(self) -> None:
        """Note that the store works."""
        self._failing_since_s = None

    def store_failed(self, error: MeshError) -> None:
        """Note a failure. The outage begins when the store does not answer at all any more, or was too slow for every call for long.

        A call has little time, and a busy store may be late for a few: to take the partitions from the stream for that makes it worse.
        """
        now_s = self._clock.monotonic_s()
        if self._failing_since_s is None or now_s - self._failed_last_s > _TOO_SLOW_S:
            self._failing_since_s = now_s
        self._failed_last_s = now_s
        failing_s = now_s - self._failing_since_s
        if self.active or failing_s < self._after_s:
            return
        if failing_s >= _TOO_SLOW_S:
            self._begin(error.reason)
        elif self.state is State.WORKING:
            self._go(State.DOUBTING)
            self._doubting = asyncio.create_task(self._doubt(error.reason), name="doubt")

    async def _doubt(self, reason: str) -> None:
        answers = True
        try:
            answers = await self._restorer.answers(_ANSWER_S)
        finally:
            if self.state is State.DOUBTING:
                if answers:
                    self._go(State.WORKING)
                else:
                    self._begin(reason)

    def _begin(self, reason: str) -> None:
        self._go(State.TAKING)
        self._health.degraded("redis", reason)
        self._way_back = asyncio.create_task(self._return(), name="way back from the outage")

    def store_forgot(self, error: MeshError) -> None:
        """Note that the store answers but has to be restored first; begins to restore it."""
        self.store_failed(error)
        if self._restoring is None or self._restoring.done():
            self._restoring = asyncio.create_task(self._restore(), name="restore")

    async def _restore(self) -> None:
        try:
            await self._restorer.ensure()
        except MeshError as again:
            log.info("the feature store can't be restored yet: %s", again.reason)

    async def _return(self) -> None:
        """Take the partitions, then try until the store is restored and knows everything decided meanwhile."""
        while self.active:
            try:
                await self._next()
            except MeshError as error:
                if self.state is State.RETURNING:
                    self._go(State.OUT)
                log.info("the feature store is still down: %s", error.reason)
                await asyncio.sleep(_PROBE_S)
        self._failing_since_s = None
        self._way_back = None
        await self._log.leave()
        self._health.recovered("redis")

    async def _next(self) -> None:
        match self.state:
            case State.TAKING:
                await self._drained()
                await self._log.enter()
                self._go(State.OUT)
            case State.OUT:
                await self._restorer.ensure()
                self._go(State.CLOSING)
            case State.CLOSING:
                await self._closed()
                self._go(State.RETURNING)
            case State.RETURNING:
                await self._restorer.take_over_all()
                self._go(State.WORKING)

    async def publish(self, work: Coroutine[None, None, None]) -> None:
        """Run what writes the store's decisions, unless the store may not be used any more. Raises Unavailable then, and its errors.

        A caller that gives up does not stop it: what is on its way may arrive, and the outage must not begin before it has.
        """
        if self.active:
            work.close()
            raise Unavailable("the feature store went away", reason="NOT_RECORDED", retry_after_s=0.2)
        task = asyncio.create_task(work, name="publish")
        self._publishing.add(task)
        task.add_done_callback(self._published)
        await asyncio.shield(task)

    def _published(self, task: asyncio.Task[None]) -> None:
        self._publishing.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it was told; nobody may wait any more

    async def _drained(self) -> None:
        """Wait until nothing that the store decided is on its way to the log: it could come after what is decided without the store."""
        if self._publishing:
            await asyncio.wait(self._publishing)

    async def _closed(self) -> None:
        """Wait for the decisions that run: after the take-over nothing may be decided that the store misses."""
        while self._deciding:
            self._nobody.clear()
            await self._nobody.wait()

    async def aclose(self) -> None:
        """Stop looking for the way back."""
        tasks = [task for task in (self._way_back, self._restoring, self._doubting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._log.leave()

    async def decide(self, requests: Sequence[Request]) -> list[Verdict]:
        """Decide without the store. Raises Unavailable when nothing can be recorded; then nothing is answered."""
        if self.state not in (State.TAKING, State.OUT):
            raise Unavailable("the feature store is coming back", reason="STORE_NOT_RESTORED", retry_after_s=0.1)
        self._deciding += 1
        try:
            return await self._log_decider.decide(requests)
        finally:
            self._deciding -= 1
            if not self._deciding:
                self._nobody.set()
