"""Synchronous calls that arrive together are decided together.

There is no timer: a call that finds a free place starts at once; calls that arrive while all places are busy form the next batch. So an
idle service adds nothing, and a busy one shares its round trips.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass

from meshkit.errors import Overloaded
from meshkit.telemetry.context import TraceContext

from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.steps.timeline import record_wait

_PLACES = 2
_MAX_WAITING = 2_000
_HURRIED_S = 0.1

Work = Callable[[Sequence[Request], float], Awaitable[list[Verdict]]]


@dataclass(slots=True)
class _Waiting:
    request: Request
    deadline_s: float  # event loop time
    answer: asyncio.Future[Verdict]
    since_ns: int  # epoch


class Coalescer:
    """``work`` decides and publishes a batch within the seconds it is given. Raises Overloaded when too many calls wait."""

    def __init__(self, work: Work, max_batch: int) -> None:
        self._work = work
        self._max_batch = max_batch
        self._waiting: deque[_Waiting] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, request: Request, remaining_s: float) -> Verdict:
        """Return the verdict; errors are those of ``work``."""
        if len(self._waiting) >= _MAX_WAITING:
            raise Overloaded("too many calls wait", retry_after_s=0.1)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.time() + remaining_s, loop.create_future(), time.time_ns())
        self._waiting.append(waiting)
        self._start()
        return await waiting.answer

    def _start(self) -> None:
        while self._waiting and len(self._running) < _PLACES:
            batch = self._next()
            if not batch:
                return
            task = asyncio.create_task(self._run(batch), context=Context())  # no single caller's deadline or trace
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _next(self) -> list[_Waiting]:
        """Take the calls that are decided together. Those in a hurry stay among themselves: a batch has its nearest deadline."""
        batch: list[_Waiting] = []
        taken: set[bytes] = set()
        later: list[_Waiting] = []
        hurried_s = asyncio.get_running_loop().time() + _HURRIED_S
        while self._waiting and len(batch) < self._max_batch:
            waiting = self._waiting.popleft()
            if waiting.answer.done():
                continue
            fits = not batch or (waiting.deadline_s < hurried_s) == (batch[0].deadline_s < hurried_s)
            if not fits or waiting.request.decision_id in taken:  # the same id twice: the second finds the first one's decision
                later.append(waiting)
                continue
            taken.add(waiting.request.decision_id)
            batch.append(waiting)
        self._waiting.extendleft(reversed(later))
        return batch

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        remaining_s = min(waiting.deadline_s for waiting in batch) - asyncio.get_running_loop().time()
        now_ns = time.time_ns()
        for waiting in batch:
            record_wait(TraceContext(*waiting.request.trace), waiting.since_ns, now_ns)
        try:
            verdicts = await self._work([waiting.request for waiting in batch], remaining_s)
        except Exception as error:
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, verdict in zip(batch, verdicts, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(verdict)
