"""RPC Generate: one generation, from what is asked for to the end of its answers.

Admitted is told before any work. Then a decode worker with room is found, in line if need be; the prompt is read there, or by a prefill
worker whose keys and values are handed over. The record of the start stands before the first byte, that of the end before the last part. A
model that can't answer is followed by its standby, which is a generation of its own.
What is done when something fails stands in `domain.attempts`; what is held anywhere is given back whichever way it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from meshkit.clock import Clock
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import DataCorrupted, MeshError, Overloaded, Unavailable

from router import ports
from router.domain.attempts import ENGINE_LACKS, Next, Phase, stream_broken
from router.domain.disaggregation import NEVER, NO_HANDOFF_ENGINE, Mode, Transfers, Way, way
from router.domain.fleet import Role
from router.domain.generation import Continued, Ended, Finish, Part, Request, StartFacts
from router.domain.legs import Committed
from router.steps.admission import Admission
from router.steps.answers import Piece
from router.steps.calls import LegFailed
from router.steps.closing import Closing
from router.steps.decode import Decode
from router.steps.failover import Failover
from router.steps.pool import Pool
from router.steps.prefill import Prefill
from router.steps.reserve import Reserve
from router.steps.run import Run
from router.steps.standby import Standbys

CHECKPOINT_TOKENS = 32
_LOST = "EVIDENCE_LOST"  # somebody else has closed the record


class Generate:
    """The flow; its parts are steps."""

    def __init__(
        self,
        *,
        admission: Admission,
        records: ports.GenerationRecords,
        pool: Pool,
        reserve: Reserve,
        prefill: Prefill,
        decode: Decode,
        failover: Failover,
        standbys: Standbys,
        closing: Closing,
        observer: ports.Observer,
        clock: Clock,
    ) -> None:
        self._admission = admission
        self._records = records
        self._pool = pool
        self._reserve = reserve
        self._prefill = prefill
        self._decode = decode
        self._failover = failover
        self._standbys = standbys
        self._closing = closing
        self._observer = observer
        self._clock = clock
        self._transfers = Transfers()

    async def __call__(self, request: Request, remaining_s: float) -> AsyncGenerator[Part, None]:
        """Yield Admitted, then pieces of the answers and their ends, then Ended. Raises typed errors."""
        run = await self._admission(request, self._clock.monotonic_s(), remaining_s)
        while True:
            try:
                async with aclosing(self._generation(run)) as parts:
                    async for part in parts:
                        yield part
                return
            except MeshError as error:
                failed = error
            run = await self._standbys.after(run, failed)

    async def _generation(self, run: Run) -> AsyncGenerator[Part, None]:
        """Yield the parts of one model's generation, whose records and rooms are its own."""
        try:
            yield run.told()
            self._standbys.check(run)
            async with aclosing(self._answers(run)) as parts:
                async for part in parts:
                    yield part
            yield await self._ended(run)
        except MeshError as error:
            with suppress(MeshError):
                await self._broken_off(run, Finish.ERROR, error.reason)
            raise
        except BaseException:  # the caller went away, or its time is over
            is_late = self._clock.monotonic_s() >= run.deadline_s
            self._closing.add(self._broken_off(run, Finish.CANCELLED, "DEADLINE_EXCEEDED" if is_late else "CANCELLED"))
            raise
        finally:
            self._prefill.abort(run)
            self._reserve.release(run)

    async def _answers(self, run: Run) -> AsyncGenerator[Part, None]:
        """Yield pieces until all answers have ended; goes on after failures as long as the table of failures says so."""
        handoff_id = uuid7()
        await self._reserve(run)
        self._choose_way(run)
        while True:
            try:
                if run.is_to_be_handed_over:
                    worker = await self._prefill.choose(run, self._failover.may_go_alone)
                    self._begin_record(run)
                    await self._prefill(run, worker, handoff_id)
                self._begin_record(run)
                async with aclosing(self._told(run)) as pieces:
                    async for piece in pieces:
                        yield piece
                self._reserve.release(run)
                return
            except LegFailed as failed:
                error = failed.error
            verdict = self._failover(run, error)
            if run.room is None:
                await self._another_room(run, error)
            if verdict.next is Next.REPLAY:
                run.continued.append(error.reason)
                yield Continued(error.reason)

    async def _another_room(self, run: Run, after: MeshError) -> None:
        """Find a room after a failure. When there is none for an answer that has begun, it has broken off, because of that failure."""
        try:
            await self._reserve(run)
        except (Unavailable, Overloaded) as error:
            if run.phase is Phase.STREAMING:
                raise stream_broken(after.reason) from None
            if after.reason.startswith(ENGINE_LACKS) and isinstance(error, Unavailable):
                raise after from None  # whoever might be able is not there: what is lacking says more
            raise
        self._prefill.drop_unless_fit(run)
        self._choose_way_again(run)

    def _choose_way(self, run: Run) -> None:
        """Decide whether keys and values are handed over."""
        scenario, room = run.scenario, run.room
        if room is not None and room.worker.role is Role.GENERATE:
            run.way = Way(False, NEVER if scenario.disaggregation is Mode.NEVER else NO_HANDOFF_ENGINE)
        elif room is not None:
            load = self._pool.load(room.worker.name)
            run.way = way(
                scenario.disaggregation,
                scenario.threshold_tokens,
                prompt_tokens=run.admitted.prompt_tokens,
                cached_tokens=room.reservation.first_block * run.model.block_tokens,
                running=max(load.rows_used - run.need.rows, 0),
                rates=self._transfers.rates(load.tokens_per_s, room.worker.token_bytes),
            )

    def _choose_way_again(self, run: Run) -> None:
        """Another worker may take over what the one before could not, or the other way round; what has begun goes on as it began."""
        room = run.room
        if room is None or run.phase is Phase.STREAMING or run.handover is not None:
            return
        if (room.worker.role is Role.GENERATE) != (run.way.reason == NO_HANDOFF_ENGINE):
            run.is_alone = False
            self._choose_way(run)

    async def _told(self, run: Run) -> AsyncGenerator[Piece, None]:
        """Yield pieces of the answers, the first tokens once their keys and values have arrived. Raises LegFailed."""
        handover = run.handover
        if handover is not None and run.answers.are_over:  # they ended with their first tokens: nobody needs to decode
            await self._may_send(run)
            for piece in handover.held:
                yield piece
            return
        async with aclosing(self._decode(run)) as written:
            async for news in written:
                if isinstance(news, Committed):
                    self._transfers.note(news.pulled_bytes, news.pull_ms)
                    pieces = run.handover.held if run.handover else []
                else:
                    pieces = news
                if pieces and run.phase is not Phase.STREAMING:
                    self._check_prefill(run)
                    await self._may_send(run)
                    run.handover = None  # its publisher has freed what it held
                for piece in pieces:
                    yield piece
                self._checkpoint(run)

    def _check_prefill(self, run: Run) -> None:
        """Raise LegFailed when whoever read the prompt was found to answer wrong meanwhile: its keys and values are wrong, too."""
        if run.handover is not None and self._pool.load(run.handover.worker.name).is_wrong:
            raise LegFailed(DataCorrupted("the prompt was read by an engine that answers wrong", reason="PREFILL_WRONG"))

    # Evidence

    def _begin_record(self, run: Run) -> None:
        """Write the record of the start beside the work; it must stand before the first byte."""
        if run.started is None and run.decode_choice is not None:
            facts = StartFacts(
                generation_id=run.admitted.generation_id,
                request=run.request,
                model=run.model.name,
                model_digest=run.model.digest,
                release=run.model.release,
                seed=run.admitted.seed,
                prompt_tokens=run.job.prompt,
                max_output_tokens=run.admitted.max_output_tokens,
                decode=run.decode_choice,
                prefill=run.prefill_choice,
                reason=run.way.reason,
                tokenizer_digest=run.model.tokenizer_digest,
                instead=run.instead,
                tools=() if run.offer is None else run.offer.tools,
            )
            run.started = asyncio.ensure_future(self._records.started(facts))

    async def _may_send(self, run: Run) -> None:
        """Wait for the record of the start; from then on the caller has had the first byte."""
        if run.started is not None:
            await asyncio.shield(run.started)
        run.phase = Phase.STREAMING
        self._standbys.worked(run)
        self._observer.first_token(self._clock.monotonic_s() - run.begun_s)

    def _checkpoint(self, run: Run) -> None:
        if run.answers.output_tokens - run.checkpoint >= CHECKPOINT_TOKENS:
            run.checkpoint = run.answers.output_tokens
            self._records.checkpoint(run.admitted.generation_id, run.checkpoint)

    async def _ended(self, run: Run) -> Ended:
        started, run.started = run.started, None
        facts = run.end(Finish.ERROR, "")
        self._observer.ended(run.way.reason, "")
        ended_id = await self._records.ended(facts)
        return Ended(facts.usage, facts.provenance, started.result() if started else "", ended_id)

    async def _broken_off(self, run: Run, finish: Finish, reason: str) -> None:
        """Record the end of what did not end well. Without a start, or when its end was tried already, there is nothing to record."""
        started, run.started = run.started, None
        self._observer.ended(run.way.reason, reason)
        if started is not None and reason != _LOST:
            await started
            await self._records.ended(run.end(finish, reason))
