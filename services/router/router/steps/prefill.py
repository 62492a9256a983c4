"""The prefill leg: a worker that reads the prompt, samples the first tokens, and publishes keys and values under a ticket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable

from router import ports
from router.domain.attempts import Attempts, Phase, no_worker
from router.domain.fleet import Role, Worker
from router.domain.generation import Choice
from router.domain.legs import Handoff, PrefillAsk, Prefilled, Reservation
from router.domain.queue import overloaded
from router.steps.calls import LegFailed, counted, left_s
from router.steps.closing import Closing
from router.steps.pool import Nobody, Pool, key_of
from router.steps.reserve import TTL_S
from router.steps.run import Handover, Run

_LOOK_S = 0.1


class Prefill:
    """``call_s``: how long reading a prompt may take, waiting at the worker included; ``patience_s``: how long one is waited for."""

    def __init__(
        self,
        pool: Pool,
        prefill: ports.PrefillLeg,
        decode: ports.DecodeLeg,
        closing: Closing,
        clock: Clock,
        *,
        call_s: float,
        patience_s: float,
    ) -> None:
        self._pool = pool
        self._prefill = prefill
        self._decode = decode
        self._closing = closing
        self._clock = clock
        self._call_s = call_s
        self._patience_s = patience_s

    def pick(self, run: Run, attempts: Attempts) -> Choice | Nobody:
        """Return the prefill worker that would be used, for the decode worker at which there is room."""
        layout, partner = (run.room.worker.layout_digest, key_of(run.room.worker)) if run.room else (b"", "")
        need = replace(run.need, tokens=run.admitted.prompt_tokens, rows=1, layout=layout)
        return self._pool.pick(Role.PREFILL, need, attempts, partner=partner)

    async def choose(self, run: Run, may_go_alone: Callable[[Run], bool]) -> Worker:
        """Choose a worker; raises LegFailed when there is none. One that may come back is waited for, unless the run can do without."""
        until_s = self._clock.monotonic_s() + self._patience_s
        while True:
            choice = self.pick(run, run.attempts)
            worker = self._pool.worker(choice.worker) if isinstance(choice, Choice) else None
            if isinstance(choice, Choice) and worker is not None:
                run.prefill_choice, run.prefill_worker = choice, worker.name
                return worker
            is_hopeless = not self._pool.is_known(Role.PREFILL, run.need.model_digest)
            if is_hopeless or may_go_alone(run) or self._clock.monotonic_s() >= min(until_s, run.deadline_s):
                run.attempts = run.attempts.began_prefill()
                raise LegFailed(
                    overloaded("prefill workers are busy") if choice is Nobody.FULL else no_worker("no prefill worker is there")
                )
            await asyncio.sleep(_LOOK_S)

    async def __call__(self, run: Run, worker: Worker, handoff_id: str) -> None:
        """Have the prompt read. Raises LegFailed."""
        room, run.phase, run.attempts = run.room, Phase.PREFILL, run.attempts.began_prefill()
        if room is None:
            raise LegFailed(no_worker("the room at the decode worker is gone"))
        handoff = Handoff(handoff_id, run.attempts.epoch)
        run.handover = handover = Handover(worker, handoff, room.reservation.first_block, room.worker.layout_digest, key_of(room.worker))
        ask = PrefillAsk(
            run.job,
            handoff,
            handover.layout,
            handover.first_block,
            decode_worker=room.worker.name,
            decode_incarnation=room.reservation.incarnation,
        )
        cached = run.prefill_choice.cached_blocks if run.prefill_choice else 0
        prediction = self._pool.predict(worker.name, max(len(run.need.block_ids) - cached, 1), 1)
        self._pool.taken(prediction)  # as it is sent: the worker's next word has it in
        try:
            with counted(self._pool.breaker(worker), run, self._clock):
                async with self._renewed(room.reservation):
                    prefilled = await self._prefill.prefill(worker.name, ask, left_s(run, self._clock, self._call_s))
            self._take(run, handover, prefilled)
        except MeshError as error:
            raise LegFailed(error) from error
        finally:
            self._pool.ended(prediction)

    def _take(self, run: Run, handover: Handover, prefilled: Prefilled) -> None:
        begins_here = not handover.worker.begins_at_decode
        begun = range(run.job.sampling.choices) if begins_here else ()
        if sorted(token.choice for token in prefilled.first_tokens) != list(begun) or not (begins_here or prefilled.ticket):
            raise Unavailable("the worker did not begin every answer", reason="PROTOCOL")
        run.usages.append(prefilled.usage)
        handover.ticket = prefilled.ticket
        handover.until_s = self._clock.monotonic_s() + prefilled.lease_s
        run.answers = run.new_answers()
        handover.held = run.answers.take(prefilled.first_tokens)
        for ended in prefilled.finished:
            handover.held += run.answers.finish(ended.choice, ended.reason)

    @asynccontextmanager
    async def _renewed(self, reservation: Reservation) -> AsyncIterator[None]:
        """Keep the room at the decode worker while the prompt is read elsewhere."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(TTL_S / 3)
                with suppress(MeshError):  # one that is lost is found out by whoever uses it
                    await self._decode.renew(reservation)

        renewing = asyncio.ensure_future(renew())
        try:
            yield
        finally:
            renewing.cancel()

    def drop_unless_fit(self, run: Run) -> None:
        """Give a ticket up that the decode worker which has room now can't use: of another layout, without blocks that it has not, or for
        another worker alone.
        """
        handover, room = run.handover, run.room
        if handover is not None and room is not None:
            first_block, layout = room.reservation.first_block, room.worker.layout_digest
            is_anothers = handover.worker.begins_at_decode and handover.decode != key_of(room.worker)
            if first_block < handover.first_block or layout != handover.layout or is_anothers:
                self.abort(run)

    def abort(self, run: Run) -> None:
        """End a hand-off that nobody wants any more."""
        handover, run.handover = run.handover, None
        if handover is not None:
            self._closing.add(self._prefill.abort(handover.worker.name, handover.handoff))
