"""A decode worker with room: chosen, reserved there, and given back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from meshkit.clock import Clock
from meshkit.errors import MeshError

from router import ports
from router.domain.attempts import Failure, failure_of
from router.domain.fleet import Role
from router.domain.legs import Reservation, ReserveAsk
from router.domain.queue import Waiting
from router.steps.calls import counted, left_s
from router.steps.closing import Closing
from router.steps.line import Line, Place
from router.steps.pool import Pool, key_of
from router.steps.run import Room, Run

TTL_S = 15.0
"""How long a reservation holds without being renewed."""


class Reserve:
    """``call_s``: how long one answer may take."""

    def __init__(self, pool: Pool, line: Line, decode: ports.DecodeLeg, closing: Closing, clock: Clock, call_s: float) -> None:
        self._pool = pool
        self._line = line
        self._decode = decode
        self._closing = closing
        self._clock = clock
        self._call_s = call_s

    async def __call__(self, run: Run) -> None:
        """Find a room, waiting in line for one; workers that fail or refuse are left out or asked later.

        Raises Overloaded (OVERLOADED, QUEUE_EXPIRED), Unavailable (NO_WORKER), DeadlineExceeded.
        """
        run.failed_leg = Role.DECODE
        until_s = self._clock.monotonic_s() + run.scenario.queue_ttl_s
        waiting = Waiting(run.request.tenant, run.scenario.priority, run.deadline_s, until_s)
        blocks = -(-run.need.tokens // run.model.block_tokens) * run.need.rows
        while run.room is None:
            need = replace(run.need, layout=run.handover.layout) if run.handover else run.need
            place = await self._line.place(need, run.attempts, waiting, blocks, is_hasty=bool(run.standbys))
            run.room = await self._tried(run, place)
        self._pool.taken(run.room.place.prediction)
        run.decode_choice = run.room.place.choice

    async def _tried(self, run: Run, place: Place) -> Room | None:
        """Reserve at a worker; None when it fails or refuses."""
        worker = self._pool.worker(place.choice.worker)
        if worker is None:
            return None
        try:
            with counted(self._pool.breaker(worker), run, self._clock):
                return Room(worker, place, await self._reserved(worker.name, run))
        except MeshError as error:
            failure = failure_of(error)
            if failure is Failure.BUSY:
                self._pool.refused(place.prediction)
                return None
            self._pool.ended(place.prediction)
            if failure in (Failure.REQUEST, Failure.CALLER):
                raise
            run.attempts = run.attempts.without(key_of(worker))
            return None
        except BaseException:
            self._pool.ended(place.prediction)
            raise

    async def _reserved(self, worker: str, run: Run) -> Reservation:
        """Ask for room. Whoever is cancelled while asking gives back what it is given."""
        ask = ReserveAsk(run.job, run.need.block_ids, TTL_S)
        asking = asyncio.ensure_future(self._decode.reserve(worker, ask, left_s(run, self._clock, self._call_s)))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._closing.add(self._returned(asking))
            raise

    async def _returned(self, asking: asyncio.Future[Reservation]) -> None:
        await self._decode.release(await asking)

    def release(self, run: Run) -> None:
        """Give a room back."""
        room, run.room = run.room, None
        if room is not None:
            self._pool.ended(room.place.prediction)
            if not room.is_spent:
                self._closing.add(self._decode.release(room.reservation))
