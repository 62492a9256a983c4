"""The line before the workers: a request that finds no room waits its turn, per model.

Whoever is first is given a worker as soon as one has room, which is noted at once, so that the next sees it. Those for whom no worker lives
at all let others pass, and wait for one for ``patience_s`` alone: it may just be starting again. The order is `domain.queue`'s; a wait
ends with the scenario's time to live.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from meshkit.clock import Clock
from meshkit.errors import DeadlineExceeded, MeshError

from router.domain.attempts import Attempts, no_worker
from router.domain.fleet import Prediction, Role
from router.domain.generation import Choice
from router.domain.queue import Queue, Waiting, overloaded, queue_expired
from router.steps.pool import Need, Nobody, Pool

_LOOK_S = 0.2
"""How often one who waits looks again for what tells nobody: a breaker's pause that is over, a worker that fell silent."""


@dataclass(frozen=True, slots=True)
class Place:
    """A decode worker that was chosen, and what was noted there for it."""

    choice: Choice
    prediction: Prediction | None


@dataclass(slots=True)
class _Ask:
    need: Need
    attempts: Attempts
    blocks: float
    placed: asyncio.Future[Place]
    is_hasty: bool = False
    absent_s: float | None = None
    """Since when no worker lives that could serve it."""


class Line:
    """``limit``: how many wait for one model at most."""

    def __init__(self, pool: Pool, clock: Clock, limit: int = 256, patience_s: float = 3.0) -> None:
        self._pool = pool
        self._patience_s = patience_s
        self._clock = clock
        self._limit = limit
        self._queues: dict[bytes, Queue] = {}
        self._asks: dict[Waiting, _Ask] = {}
        pool.on_change(self._look)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._asks)

    async def place(self, need: Need, attempts: Attempts, waiting: Waiting, blocks: float, *, is_hasty: bool = False) -> Place:
        """Return a decode worker with room, waiting for one if need be. ``blocks``: what the request will hold there.

        ``is_hasty``: somebody else could answer, so that isolated workers are waited for no longer than absent ones.

        Raises Overloaded (OVERLOADED, QUEUE_EXPIRED), Unavailable (NO_WORKER), DeadlineExceeded.
        """
        queue = self._queues.setdefault(need.model_digest, Queue(self._limit))
        if not len(queue) and isinstance(choice := self._pool.pick(Role.DECODE, need, attempts), Choice):
            return self._noted(choice, blocks, need)
        ask = _Ask(need, attempts, blocks, asyncio.get_running_loop().create_future(), is_hasty)
        lost = queue.push(waiting)
        if lost is not None and not (crowded := self._asks[lost].placed).done():
            crowded.set_exception(overloaded("more urgent requests came"))
        self._asks[waiting] = ask
        try:
            return await self._wait(waiting, ask)
        finally:
            queue.remove(waiting)
            del self._asks[waiting]
            self._look()

    async def _wait(self, waiting: Waiting, ask: _Ask) -> Place:
        try:
            while not ask.placed.done():
                self._look()
                left_s = self._left_s(waiting, ask)
                if left_s <= 0 and not ask.placed.done():
                    raise self._too_late(waiting, ask)
                await asyncio.wait({ask.placed}, timeout=min(_LOOK_S, left_s))
            return ask.placed.result()
        except asyncio.CancelledError:
            if ask.placed.done() and ask.placed.exception() is None:
                self._pool.ended(ask.placed.result().prediction)
            raise

    def _left_s(self, waiting: Waiting, ask: _Ask) -> float:
        now_s = self._clock.monotonic_s()
        left_s = waiting.left_s(now_s)
        return left_s if ask.absent_s is None else min(left_s, ask.absent_s + self._patience_s - now_s)

    def _too_late(self, waiting: Waiting, ask: _Ask) -> MeshError:
        if self._clock.monotonic_s() >= waiting.deadline_s:
            return DeadlineExceeded("the deadline is over", reason="DEADLINE_EXCEEDED")
        return queue_expired() if ask.absent_s is None else no_worker("no worker of this model is there")

    def _look(self) -> None:
        """Give out what there is room for, in order."""
        for digest, queue in list(self._queues.items()):
            for waiting in queue:
                ask = self._asks.get(waiting)
                if ask is None or ask.placed.done():
                    continue
                choice = self._pool.pick(Role.DECODE, ask.need, ask.attempts)
                if isinstance(choice, Choice):
                    ask.placed.set_result(self._noted(choice, ask.blocks, ask.need))
                    continue
                if choice is Nobody.FULL:
                    ask.absent_s = None
                    break
                if choice is Nobody.ISOLATED and not ask.is_hasty:
                    ask.absent_s = None
                    continue
                ask.absent_s = self._clock.monotonic_s() if ask.absent_s is None else ask.absent_s
            if not len(queue):
                del self._queues[digest]

    def _noted(self, choice: Choice, blocks: float, need: Need) -> Place:
        return Place(choice, self._pool.predict(choice.worker, blocks, need.rows))
