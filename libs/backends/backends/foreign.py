"""What all foreign engines have in common behind the port: what they are by their row, rooms, load, an answer from its checks to its usage.

Surprising: the engine counts as another incarnation when it was away, since nobody can tell whether it is the same; reservations die with
it. An adapter says how it asks whether the engine is there (`meet`), and how one answer is written (`write`), nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable

from finmesh.inference.v1.decode_service_pb2 import Committed, DecodeRequest, ReserveRequest
from finmesh.inference.v1.generation_pb2 import UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest
from finmesh.inference.v1.worker_pb2 import (
    WORKER_STATE_ISOLATED,
    WORKER_STATE_READY,
    WORKER_STATE_STARTING,
    KvEvent,
    WorkerDescription,
    WorkerLoad,
)
from meshkit.errors import InvalidArgument, MeshError, Unavailable

from backends.accelerators import ROLES, ForeignRow
from backends.lacking import check, check_prompt, lacks
from backends.liveness import PROBE_S
from backends.measures import Measures
from backends.port import DecodeEvent, Published, Running, Watcher
from backends.rooms import Rooms
from backends.streams import Stream
from backends.triton_engine import BUFFER_TOKENS
from backends.writing import Gauges, Writing, said_wrong

MEET_S = 5.0
MISSES = 2
"""So many times in a row the engine does not answer before it counts as away: one late answer of a busy engine is none."""
BLOCK_TOKENS = 64
_logger = logging.getLogger("finmesh.backends")


class ForeignEngine(ABC):
    """A `backends.port.Backend` that serves GENERATE. ``role``: of its row."""

    def __init__(
        self, row: ForeignRow, role: str, *, buffer_tokens: int = BUFFER_TOKENS, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.row = row
        self.missing: frozenset[str] = frozenset()
        """What it lacks, in the words of `backends.lacking`."""
        self._role, self._buffer_tokens, self._monotonic_s = role, buffer_tokens, monotonic_s
        self._rooms, self._measures = Rooms(row.rows, monotonic_s), Measures(monotonic_s)
        self._watcher: Watcher | None = None
        self._description: WorkerDescription | None = None
        self._state, self._reason = WORKER_STATE_STARTING, ""
        self._gauges = Gauges()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def description(self) -> WorkerDescription | None:
        """What it is; None until it was reached once."""
        return self._description

    @property
    def load(self) -> WorkerLoad:
        """How busy it is, by its own word where it has one."""
        per_s, utilisation = self._measures.rates()
        gauges, used = self._gauges, self._rooms.used
        return WorkerLoad(
            steps=self._measures.steps,
            rows_used=used,
            queued=gauges.queued or 0,
            prefill_tokens=self._measures.waiting_tokens,
            decode_blocks=self._measures.blocks,
            step_ms=self._measures.step_ms,
            output_tokens_per_s=per_s,
            prefill_tokens_per_s=self._measures.prefill_tokens_per_s,
            state=self._state,
            reason=self._reason,
            kv_usage=used / self.row.rows if gauges.kv_usage is None else gauges.kv_usage,
            utilisation=utilisation,
        )

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher from now on."""
        self._watcher = watcher

    async def held(self) -> list[str]:
        """Return what is held here: for those who look for leaks."""
        return [*(f"reservation {each}" for each in self._rooms.reservations), *(f"row {n}" for n in range(self._rooms.running))]

    # keeping in touch

    async def run(self) -> None:
        """Ask whether it is there, again and again, until cancelled; then end what runs."""
        misses = 0
        try:
            while True:
                try:
                    async with asyncio.timeout(MEET_S):
                        self._gauges = await self.meet()
                    misses = 0
                    self._is_here()
                except (MeshError, TimeoutError) as error:
                    misses += 1
                    if misses >= MISSES or self._state != WORKER_STATE_READY:
                        self._is_away(error if isinstance(error, MeshError) else said_wrong("the engine does not answer", "ENGINE_SLOW"))
                if self._watcher is not None and self._description is not None:
                    self._watcher.loaded(self._description.worker_id, self.load)
                await asyncio.sleep(PROBE_S)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.aclose()

    def _is_here(self) -> None:
        if self._state == WORKER_STATE_READY:
            return
        self._rooms.clear()
        self._description = described(self.row, self._role, takes_text="TOKEN_IDS" in self.missing)
        self._state, self._reason = WORKER_STATE_READY, ""
        if self._watcher is not None:
            self._watcher.described(self._description)
            self._watcher.changed(self._description.worker_id, KvEvent(seq=0, cleared=True))

    def _is_away(self, why: MeshError) -> None:
        if self._reason != why.reason:
            facts = {"worker": self.row.worker_id(self._role), "reason": why.reason, "why": why.message}
            _logger.warning("a foreign engine takes no work", extra={"facts": facts})
        self._state, self._reason = WORKER_STATE_ISOLATED, why.reason

    # rooms

    async def reserve(self, reservation_id: str, request: ReserveRequest) -> int:
        """Hold room; nothing is known of what it has cached."""
        self._check_here()
        if request.prompt_tokens >= self.row.max_len_tokens:
            raise InvalidArgument("the prompt leaves no room for an answer", reason="PROMPT_TOO_LONG")
        self._rooms.reserve(reservation_id, max(1, request.choices), request.ttl_ms / 1000)
        return 0

    async def renew(self, reservation_id: str, ttl_ms: int) -> None:
        """Prolong a reservation."""
        self._rooms.renew(reservation_id, ttl_ms / 1000)

    async def release(self, reservation_id: str) -> None:
        """Give a reservation back."""
        self._rooms.release(reservation_id)

    async def abort(self, handoff_id: str, epoch: int) -> None:
        """Return at once: nothing is ever handed off here."""
        return

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        """Refused: it hands nothing on."""
        raise lacks("HANDOFF", "this engine hands nothing on")

    # answers

    async def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        """Write an answer. What can't be done is refused before any work."""
        self._check_here()
        check_prompt(request, self.row.digest, self.row.max_len_tokens, self.row.grade)
        check(request, self.missing | {"HANDOFF"})
        rows = max(1, request.sampling.choices)
        self._rooms.take(request.reservation_id, rows)
        stream = Stream(self._buffer_tokens)
        writing = self._writing(request, stream)
        task = asyncio.create_task(self._written(writing, rows), name=f"answer of {self.row.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            event = await stream.next()
            while True:
                yield event
                if isinstance(event, UsageFacts):
                    return
                event = await stream.next(0.0 if isinstance(event, Running) else hold_s)
        finally:
            stream.fail(Unavailable("nobody reads this answer", reason="CANCELLED"))
            if self.may_cancel:
                task.cancel()

    @property
    def may_cancel(self) -> bool:
        """Whether work may be broken off when nobody wants it any more."""
        return True

    def _writing(self, request: DecodeRequest, stream: Stream) -> Writing:
        begun = {each.choice: len(each.token_ids) or each.text_tokens for each in request.emitted}
        sizes = {choice: begun.get(choice, 0) for choice in range(max(1, request.sampling.choices))}
        description = self._description
        assert description is not None
        writing = Writing(
            request,
            stream,
            running=Running(Committed(worker_id=description.worker_id, incarnation=description.incarnation), ()),
            measures=self._measures,
            began_s=self._monotonic_s(),
            share=0.0,
            sizes=sizes,
            prompt_tokens=len(request.prompt_tokens),
        )
        writing.share = self._measures.began(writing, len(request.prompt_tokens))
        return writing

    async def _written(self, writing: Writing, rows: int) -> None:
        """Write, then tell what was used; whatever goes wrong ends the stream, typed."""
        try:
            await self.write(writing)
            if writing.finished | set(writing.request.ended_choices) != set(writing.sizes):
                raise said_wrong("the engine ended before its answers")
            writing.stream.put(self._usage(writing))
        except MeshError as error:
            writing.stream.fail(error)
        except Exception as error:  # whatever an engine says must not end more than its answer
            writing.stream.fail(said_wrong(f"what the engine said was not understood ({type(error).__name__})"))
        finally:
            self._measures.ended(writing)
            self._rooms.leave(rows)

    def _usage(self, writing: Writing) -> UsageFacts:
        busy_ms = self._measures.share_ms(writing.share)
        return UsageFacts(
            prompt_tokens=writing.prompt_tokens,
            cached_tokens=writing.cached_tokens,
            output_tokens=writing.output_tokens,
            accelerator=f"{self.row.vendor}/{self.row.device}",
            busy_ms=busy_ms,
            energy_j=busy_ms / 1000 * self.row.rated_power_w,
        )

    def _check_here(self) -> None:
        if self._description is None or self._state == WORKER_STATE_ISOLATED:
            raise Unavailable("the engine cannot be reached", reason=self._reason or "STARTING")

    # what an adapter says

    @abstractmethod
    async def meet(self) -> Gauges:
        """Ask whether it is there and ready, and what it tells of itself. Raises Unavailable; sets ``missing`` before it returns first."""

    @abstractmethod
    async def write(self, writing: Writing) -> None:
        """Write one request's answers. Raises typed errors; cancelled when nobody wants them any more, if ``may_cancel``."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close what is open."""


def described(row: ForeignRow, role: str, *, takes_text: bool = False) -> WorkerDescription:
    """Return what an engine is by its row; each call is another incarnation."""
    return WorkerDescription(
        worker_id=row.worker_id(role),
        incarnation=secrets.token_hex(12),
        role=ROLES[role],
        vendor=row.vendor,
        device=row.device,
        model=row.model,
        model_digest=row.digest,
        block_tokens=BLOCK_TOKENS,
        max_len_tokens=row.max_len_tokens,
        rows=row.rows,
        highest_grade=row.grade,
        price_per_hour_minor=row.price_per_hour_minor,
        zone=row.zone,
        kind=row.kind,
        takes_text=takes_text,
        memory_bytes=row.memory_bytes,
    )
