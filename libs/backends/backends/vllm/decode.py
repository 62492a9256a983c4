"""vLLM writes answers: from a ticket of ours, which is taken once, or from the prompt.

Surprising:

- Everything of a ticket is checked, and it is marked as spent, before the engine is asked: vLLM takes any.
- The row runs when its first token is there, not before: until then its keys and values may still be on their way, and an error of theirs
  comes inside a stream that began with 200. A first token behind the lease's end is not believed, whatever held it up.
- Several answers to one prompt are several requests: the first one fetches, the others begin with its first token, when its blocks are in
  the engine's prefix cache. Given to all of them, the object would be fetched by the second after the first had it freed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from finmesh.inference.v1.decode_service_pb2 import Committed, DecodeRequest, ReserveRequest
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, ChoiceFinished, UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from finmesh.inference.v1.worker_pb2 import WorkerDescription
from meshkit.clock import Clock
from meshkit.crypto.ring import Ring
from meshkit.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, MeshError, Unavailable

from backends.accelerators import VllmRow
from backends.lacking import check
from backends.port import DecodeEvent, Phase, Published, Running
from backends.refusals import engine_lost, too_slow
from backends.rooms import Rooms
from backends.streams import Stream
from backends.vllm.answers import DONE, LINE_BYTES, PATH, PROMPT_TOKEN_BYTES, Asked, Chunk, chunk, pull_failed
from backends.vllm.engine import VllmEngine
from backends.vllm.requests import decode_body
from backends.vllm.spent import Epochs
from backends.vllm.ticket import SKEW_MS, Expected, Ticket, TicketKey, lease_expired, prompt_digest

BUFFER_TOKENS = 512
MOST_CHOICES = 4


@dataclass(slots=True, eq=False)
class _Work:
    """One request. ``transfer``: what the engine fetches keys and values with; ``fetched_by_s``: when their lease is over."""

    request: DecodeRequest
    transfer: Mapping[str, Any] | None
    fetched_by_s: float
    rows: int
    stream: Stream
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    begun_ns: int = field(default_factory=time.time_ns)
    begun_s: float = field(default_factory=time.monotonic)
    output_tokens: int = 0
    cached_tokens: int = 0


class VllmDecode(VllmEngine):
    """See `backends.port.Backend`; it reads prompts for its own answers alone."""

    def __init__(self, row: VllmRow, keys: Ring[TicketKey], clock: Clock | None = None, *, buffer_tokens: int = BUFFER_TOKENS) -> None:
        super().__init__(row, "decode", keys, clock)
        self._buffer_tokens = buffer_tokens
        self._spent = Epochs(row.options.engine_lease_s + SKEW_MS / 1000)
        self._rooms = Rooms(row.rows, self._clock.monotonic_s)
        self._works: set[_Work] = set()

    def _rows_used(self) -> int:
        return self._rooms.used

    def _prefill_tokens(self) -> int:
        return sum(len(work.request.prompt_tokens) for work in self._works if work.transfer is None and not work.begun.is_set())

    async def held(self) -> list[str]:
        """Return what is held there for this process: for those who look for leaks."""
        return [*self._rooms.reservations, *[f"answer {work.request.request_id}" for work in self._works]]

    async def _leave(self) -> None:
        for work in self._works:
            work.stream.fail(engine_lost("the engine was left"))

    # room

    async def reserve(self, reservation_id: str, request: ReserveRequest) -> int:
        """Hold room. The engine itself knows no reservations: rows are counted here, up to what its row says."""
        description = self._here()
        if request.prompt_tokens >= description.max_len_tokens:
            raise InvalidArgument(f"{description.max_len_tokens} tokens at most, answer included", reason="PROMPT_TOO_LONG")
        self._rooms.reserve(reservation_id, max(1, request.choices), request.ttl_ms / 1000)
        return 0

    async def renew(self, reservation_id: str, ttl_ms: int) -> None:
        """Prolong a reservation."""
        self._rooms.renew(reservation_id, ttl_ms / 1000)

    async def release(self, reservation_id: str) -> None:
        """Give a reservation back."""
        self._rooms.release(reservation_id)

    # answers

    async def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        """Write an answer."""
        description = self._here()
        self._check(request, description)
        _check_possible(request)
        ticket, left_s = self._verified(request, description) if request.ticket else (None, 0.0)
        now_s, rows = self._clock.monotonic_s(), max(1, request.sampling.choices)
        self._rooms.take(request.reservation_id, rows)
        try:
            if ticket is not None:
                self._spent.spend(ticket.handoff_id, ticket.epoch, now_s)
        except MeshError:
            self._rooms.leave(rows)
            raise
        stream = Stream(self._buffer_tokens)
        work = _Work(request, None if ticket is None else ticket.transfer, now_s + left_s, rows, stream)
        self._works.add(work)
        writing = asyncio.create_task(self._write(description, work, timeout_s))
        try:
            event = await stream.next()
            while True:
                yield event
                if isinstance(event, UsageFacts):
                    return
                event = await stream.next(0.0 if isinstance(event, Running) else hold_s)
        finally:
            writing.cancel()
            await asyncio.wait({writing})

    def _verified(self, request: DecodeRequest, description: WorkerDescription) -> tuple[Ticket, float]:
        """The ticket, and how many seconds its lease has left. Raises FailedPrecondition (TICKET_REFUSED), Unavailable (LEASE_EXPIRED)."""
        ticket = Ticket.verify(request.ticket, self._keys.get)
        expected = Expected(
            decode_worker=description.worker_id,
            decode_incarnation=description.incarnation,
            model_digest=request.model_digest,
            layout_digest=description.layout_digest,
            request_id=request.request_id,
            tenant_digest=request.tenant_digest,
            namespace=request.namespace,
            grade=request.grade,
            prompt_tokens=len(request.prompt_tokens),
            prompt_digest=prompt_digest(request.prompt_tokens),
        )
        return ticket, ticket.check(expected, round(self._clock.now_s() * 1000)) / 1000

    async def _write(self, description: WorkerDescription, work: _Work, timeout_s: float) -> None:
        """Have all answers written into the stream; whatever happens ends it."""
        request = work.request
        choices = [choice for choice in range(max(1, request.sampling.choices)) if choice not in request.ended_choices]
        try:
            async with asyncio.TaskGroup() as group:
                for number, choice in enumerate(choices):
                    group.create_task(self._answer(description, work, choice, is_first=number == 0, timeout_s=timeout_s))
        except* MeshError as errors:
            work.stream.fail(_first(errors))
        except* Exception as errors:
            work.stream.fail(engine_lost("the answer could not be read", "ENGINE_FAILED"))
            raise errors.exceptions[0] from None
        else:
            took_ms = (time.monotonic() - work.begun_s) * 1000
            usage = UsageFacts(
                prompt_tokens=len(request.prompt_tokens),
                cached_tokens=min(work.cached_tokens, len(request.prompt_tokens)),
                output_tokens=work.output_tokens,
                accelerator=self._accelerator(),
                busy_ms=took_ms * work.rows / max(self._rows_used(), 1),
            )
            work.stream.put(usage)
        finally:
            self._works.discard(work)
            self._rooms.leave(work.rows)

    async def _answer(self, description: WorkerDescription, work: _Work, choice: int, *, is_first: bool, timeout_s: float) -> None:
        """Have one answer written."""
        request, how = work.request, work.request.sampling
        if not is_first:
            await work.begun.wait()
        begun = index = next((len(each.token_ids) for each in request.emitted if each.choice == choice), 0)
        most = min(request.bounds.max_output_tokens, description.max_len_tokens - len(request.prompt_tokens)) - begun
        asked = Asked(
            choice=choice,
            top=how.top_logprobs if how.logprobs else None,
            is_handed_over=is_first and work.transfer is not None,
            has_grammar=bool(request.grammar.json_schema),
        )
        if most <= 0:
            self._first_came(work, description)
            work.stream.put(ChoiceFinished(choice=choice, reason=FINISH_REASON_LENGTH, output_tokens=begun))
            return
        transfer = work.transfer if is_first else None
        body = decode_body(request, choice, self._served, most=most, transfer=transfer, priorities=self._options.priorities)
        async with aclosing(self._chunks(body, asked, work, timeout_s, begun)) as chunks:
            async for part in chunks:
                if part.tokens:
                    self._first_came(work, description)
                    index += len(part.tokens)
                    work.output_tokens += len(part.tokens)
                    if not work.stream.put_tokens(list(part.tokens)):
                        raise too_slow()
                if part.finish:
                    work.stream.put(ChoiceFinished(choice=choice, reason=part.finish, output_tokens=index))

    def _first_came(self, work: _Work, description: WorkerDescription) -> None:
        """Its first token is there."""
        if work.begun.is_set():
            return
        if work.transfer is not None and self._clock.monotonic_s() > work.fetched_by_s:
            raise lease_expired()
        work.begun.set()
        committed = Committed(worker_id=description.worker_id, incarnation=description.incarnation)
        if work.transfer is not None:
            committed.transport, committed.pulls = "nixl", 1
            committed.pull_ms = (time.monotonic() - work.begun_s) * 1000
        name = "prefill" if work.transfer is None else "pull"
        work.stream.put(Running(committed, (Phase(name, work.begun_ns, time.time_ns()),)))

    async def _chunks(self, body: dict[str, Any], asked: Asked, work: _Work, timeout_s: float, index: int) -> AsyncGenerator[Chunk, None]:
        """Parts of one answer. Raises DeadlineExceeded (QUEUE_EXPIRED), Unavailable, and what the engine refuses."""
        first_s, clock = min(timeout_s, self._options.first_s), asyncio.get_running_loop().time
        if asked.is_handed_over:
            first_s = min(first_s, self._options.fetch_s, work.fetched_by_s - self._clock.monotonic_s())
        line_bytes = LINE_BYTES + PROMPT_TOKEN_BYTES * len(body["prompt"])
        try:
            async with asyncio.timeout(first_s) as limit, self._link.events(PATH, body, line_bytes) as told:
                async for data in told:
                    if data == DONE:
                        return
                    part = chunk(data, asked, index)
                    index += len(part.tokens)
                    work.cached_tokens = max(work.cached_tokens, part.cached_tokens)
                    yield part
                    limit.reschedule(clock() + self._options.between_s)
            raise engine_lost("the engine broke off")
        except TimeoutError:
            if work.begun.is_set():
                raise engine_lost("the engine sends nothing", "ENGINE_HUNG") from None
            if asked.is_handed_over:
                raise (lease_expired() if self._clock.monotonic_s() >= work.fetched_by_s else pull_failed()) from None
            raise DeadlineExceeded("no token came in time", reason="QUEUE_EXPIRED") from None
        except Unavailable as error:
            if asked.is_handed_over and error.reason == "ENGINE_FAILED":
                raise pull_failed() from None
            raise

    # what it can't do

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        """It reads prompts for its own answers alone."""
        raise FailedPrecondition("this engine writes answers and hands nothing on", reason="ROLE_MISMATCH")

    async def abort(self, handoff_id: str, epoch: int) -> None:
        """It hands nothing on, so there is nothing to end."""


def _check_possible(request: DecodeRequest) -> None:
    """Raise InvalidArgument (CHOICES_TOO_MANY), FailedPrecondition (ENGINE_LACKS_GRAMMAR_REPLAY)."""
    if request.sampling.choices > MOST_CHOICES:
        raise InvalidArgument(f"{MOST_CHOICES} answers at most", reason="CHOICES_TOO_MANY")
    check(request, {"GRAMMAR_REPLAY", "TEXT_REPLAY"})


def _first(errors: BaseExceptionGroup[MeshError]) -> MeshError:
    found = errors.exceptions[0]
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, MeshError) else Unavailable("the engine failed", reason="ENGINE_FAILED")
