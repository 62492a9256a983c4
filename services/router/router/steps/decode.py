"""The decode leg: a worker that pulls keys and values, or reads the prompt itself, and writes the answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable

from router import ports
from router.domain.attempts import Phase, no_worker
from router.domain.generation import ChoiceFinished, Usage
from router.domain.legs import Committed, DecodeAsk, DecodePart, LegEnded, Tokens
from router.domain.model import ServedModel
from router.steps.answers import Piece
from router.steps.calls import LegFailed, count, counted, left_s, next_part, of_caller
from router.steps.pool import Pool
from router.steps.run import Room, Run

_Parts = AsyncGenerator[DecodePart, None]
TextOf = Callable[[ServedModel, Sequence[int]], Awaitable[str]]


class Decode:
    """``text_of``: a prompt as text, for workers that take no ids. How long a worker may take: ``commit_s`` until its row runs, ``read_s``
    when it reads the prompt, ``between_s`` between tokens.
    """

    def __init__(
        self, pool: Pool, decode: ports.DecodeLeg, text_of: TextOf, clock: Clock, *, commit_s: float, read_s: float, between_s: float
    ) -> None:
        self._pool = pool
        self._text_of = text_of
        self._decode = decode
        self._clock = clock
        self._commit_s = commit_s
        self._read_s = read_s
        self._between_s = between_s

    async def __call__(self, run: Run) -> AsyncGenerator[Committed | list[Piece], None]:
        """Yield Committed, then pieces as they come, until all answers have ended. Raises LegFailed."""
        room = run.room
        if room is None:
            raise LegFailed(no_worker("the room at the decode worker is gone"))
        self._begin(run)
        before, told = run.answers.output_tokens, len(run.usages)
        is_committed = False
        try:
            async with aclosing(self._decode.decode(room.worker.name, await self._ask(run, room))) as stream:
                with counted(self._pool.breaker(room.worker), run, self._clock):
                    first = await self._next(run, stream, self._commit_s if run.handover else self._read_s)
                    if not isinstance(first, Committed):
                        raise Unavailable("the worker did not say that its row runs", reason="PROTOCOL")
                is_committed = True
                run.committed(first)
                yield first
                async with aclosing(self._written(run, room, stream)) as written:
                    async for pieces in written:
                        yield pieces
        except MeshError as caught:
            error = of_caller(caught, run, self._clock)
            if is_committed:
                count(self._pool.breaker(room.worker), error)
            raise LegFailed(error) from caught
        finally:
            if len(run.usages) == told and (tokens := run.answers.output_tokens - before) > 0:
                run.usages.append(self._estimate(room, tokens))

    @staticmethod
    def _begin(run: Run) -> None:
        run.attempts = run.attempts.began_decode()
        if run.phase is not Phase.STREAMING:
            run.phase = Phase.HANDOVER
            if run.handover is None:
                run.answers = run.new_answers()

    async def _ask(self, run: Run, room: Room) -> DecodeAsk:
        """With a ticket the tokens so far stand in it; else those that the caller has had are fed again."""
        ticket = run.handover.ticket if run.handover else b""
        emitted = {} if ticket else {choice: tokens for choice, tokens in run.answers.settle().items() if tokens}
        ended = tuple(each.choice for each in run.answers.finished)
        takes_text = room.worker.takes_text
        return DecodeAsk(
            job=run.job,
            reservation=room.reservation,
            ticket=ticket,
            emitted=emitted,
            ended_choices=ended,
            timeout_s=left_s(run, self._clock, float("inf")),
            prompt_text=await self._text_of(run.model, run.job.prompt) if takes_text else "",
            said=run.answers.said() if takes_text and emitted else {},
        )

    async def _written(self, run: Run, room: Room, stream: _Parts) -> AsyncGenerator[list[Piece], None]:
        """Yield pieces until the worker says that it has ended, or all answers ended at stop strings, which it doesn't know."""
        by_worker = {each.choice for each in run.answers.finished}
        while not run.answers.are_over or len(by_worker) == run.job.sampling.choices:
            part = await self._next(run, stream, self._between_s)
            if isinstance(part, Tokens):
                yield run.answers.take(part.tokens)
            elif isinstance(part, ChoiceFinished):
                by_worker.add(part.choice)
                if pieces := run.answers.finish(part.choice, part.reason, part.output_tokens):
                    yield pieces
            elif isinstance(part, LegEnded):
                run.usages.append(part.usage)
                if not run.answers.are_over:
                    raise Unavailable("the worker ended before its answers", reason="TOKENS_MISSING")
                room.is_spent = True
                return

    async def _next(self, run: Run, stream: _Parts, limit_s: float) -> DecodePart:
        part = await next_part(stream, left_s(run, self._clock, limit_s), "WORKER_SILENT")
        if part is None:
            raise Unavailable("the worker's stream broke off", reason="STREAM_BROKEN_OFF")
        return part

    def _estimate(self, room: Room, tokens: int) -> Usage:
        """What a leg used that did not live to say so, or was ended before: its share of the steps that its tokens took."""
        load = self._pool.load(room.worker.name)
        busy_ms = tokens * load.step_ms / max(load.rows_used, 1)
        return Usage(output_tokens=tokens, accelerator=room.worker.accelerator, busy_ms=busy_ms)
