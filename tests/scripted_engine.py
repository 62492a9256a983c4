"""An engine that computes nothing: the port's promises kept by a script, in place of Triton and a model."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from backends.port import DecodeEvent, Phase, Published, Running, Watcher
from backends.refusals import error_of
from backends.streams import Stream
from finmesh.engine.v1.engine_pb2 import Refusal
from finmesh.inference.v1.decode_service_pb2 import Committed, DecodeRequest, ReserveRequest
from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, ChoiceFinished, Token, UsageFacts
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest, PrefillResponse
from finmesh.inference.v1.worker_pb2 import (
    WORKER_ROLE_DECODE,
    WORKER_STATE_ISOLATED,
    WORKER_STATE_READY,
    KvEvent,
    WorkerDescription,
    WorkerLoad,
)
from meshkit.errors import MeshError, Unavailable

TELL_S = 0.2


def refused(reason: str) -> MeshError:
    return error_of(Refusal(reason=reason, message="as scripted"))


def token_of(prompt: Sequence[int], index: int) -> int:
    return hashlib.sha256(f"{list(prompt)} {index}".encode()).digest()[0]


@dataclass
class ScriptedEngine:
    """``pace_s``: between two tokens; ``gate``: nothing is computed while it is closed. ``fail`` ends whatever runs."""

    worker_id: str = "scripted-0"
    model_digest: bytes = b"m" * 32
    layout_digest: bytes = b"l" * 16
    rows: int = 4
    max_len: int = 512
    pace_s: float = 0.0
    buffer_tokens: int = 512
    incarnation: str = "first"
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reservations: dict[str, int] = field(default_factory=dict)
    running: dict[object, Stream] = field(default_factory=dict)
    handoffs: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    prompts: set[tuple[str, int]] = field(default_factory=set)
    watcher: Watcher | None = None
    state: int = WORKER_STATE_READY
    reason: str = ""
    queued: int = 0
    prefill_tokens_per_s: float = 0.0
    asked: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def description(self) -> WorkerDescription:
        return WorkerDescription(
            worker_id=self.worker_id,
            incarnation=self.incarnation,
            role=WORKER_ROLE_DECODE,
            model="scripted",
            model_digest=self.model_digest,
            layout_digest=self.layout_digest,
            block_tokens=64,
            max_len_tokens=self.max_len,
            rows=self.rows,
        )

    @property
    def load(self) -> WorkerLoad:
        return WorkerLoad(
            rows_used=len(self.held_rows()),
            queued=self.queued,
            prefill_tokens_per_s=self.prefill_tokens_per_s,
            state=self.state,  # type: ignore[arg-type]
            reason=self.reason,
        )

    def held_rows(self) -> list[str]:
        reserved = [f"reservation {each}" for each, rows in self.reservations.items() for _ in range(rows)]
        return [*reserved, *[f"row {each}" for each in self.running]]

    async def held(self) -> list[str]:
        return [*self.held_rows(), *[f"hand-off {each}" for each in self.handoffs], *[f"prompt {each}" for each in self.prompts]]

    def watch(self, watcher: Watcher) -> None:
        self.watcher = watcher

    async def run(self) -> None:
        assert self.watcher is not None
        self.watcher.described(self.description)
        self.watcher.changed(self.worker_id, KvEvent(seq=0, cleared=True))
        while True:
            self.watcher.loaded(self.worker_id, self.load)
            await asyncio.sleep(TELL_S)

    def fail(self, reason: str = "ENGINE_DEAD") -> None:
        """Die: what ran is lost, nothing is reachable."""
        self.state, self.reason = WORKER_STATE_ISOLATED, reason
        for stream in self.running.values():
            stream.fail(Unavailable("the engine died", reason=reason))
        self.reservations.clear()
        self.running.clear()
        self.handoffs.clear()

    async def reserve(self, reservation_id: str, request: ReserveRequest) -> int:
        if request.prompt_tokens >= self.max_len:
            raise refused("PROMPT_TOO_LONG")
        if len(self.held_rows()) + max(1, request.choices) > self.rows:
            raise refused("OVERLOADED")
        self.reservations[reservation_id] = max(1, request.choices)
        return 0

    async def renew(self, reservation_id: str, ttl_ms: int) -> None:
        if reservation_id not in self.reservations:
            raise refused("RESERVATION_LOST")

    async def release(self, reservation_id: str) -> None:
        self.reservations.pop(reservation_id, None)

    async def abort(self, handoff_id: str, epoch: int) -> None:
        for key in [each for each in self.handoffs if each[0] == handoff_id and each[1] <= epoch]:
            del self.handoffs[key]

    async def prefill(self, request: PrefillRequest, timeout_s: float) -> Published:
        self.asked.append(request)
        key = (request.handoff_id, request.epoch)
        self._check(request.model_digest, request.prompt_tokens)
        if any(each[0] == key[0] and each[1] >= key[1] for each in self.handoffs):
            raise refused("STALE_EPOCH")
        self.prompts.add(key)
        try:
            await asyncio.sleep(self.pace_s)
            await self.gate.wait()
        finally:
            self.prompts.discard(key)
        self.handoffs = {each: prompt for each, prompt in self.handoffs.items() if each[0] != key[0]}
        self.handoffs[key] = tuple(request.prompt_tokens)
        response = PrefillResponse(
            ticket=f"{request.handoff_id} {request.epoch}".encode(),
            first_tokens=[Token(token_id=token_of(request.prompt_tokens, 0))],
            usage=UsageFacts(prompt_tokens=len(request.prompt_tokens), output_tokens=1),
            worker_id=self.worker_id,
            incarnation=self.incarnation,
            lease_ms=30_000,
        )
        return Published(response, (Phase("prefill", 1_000, 2_000), Phase("pack", 2_000, 3_000)))

    def _check(self, model_digest: bytes, prompt: Sequence[int]) -> None:
        if self.state != WORKER_STATE_READY:
            raise Unavailable("the engine is dead", reason=self.reason)
        if model_digest != self.model_digest:
            raise refused("MODEL_UNKNOWN")
        if not prompt:
            raise refused("PROMPT_EMPTY")
        if len(prompt) >= self.max_len:
            raise refused("PROMPT_TOO_LONG")

    async def decode(self, request: DecodeRequest, timeout_s: float, hold_s: float = 0.0) -> AsyncGenerator[DecodeEvent, None]:
        self.asked.append(request)
        self._check(request.model_digest, request.prompt_tokens)
        key, stream = object(), Stream(self.buffer_tokens)
        if request.ticket:
            handoff_id, epoch = request.ticket.decode().split()
            if self.handoffs.get((handoff_id, int(epoch))) != tuple(request.prompt_tokens):
                raise refused("TICKET_REFUSED")
        if request.reservation_id and self.reservations.pop(request.reservation_id, None) is None:
            raise refused("RESERVATION_LOST")
        if request.ticket:
            del self.handoffs[handoff_id, int(epoch)]
        self.running[key] = stream
        writing = asyncio.create_task(self._write(key, stream, request))
        try:
            event = await stream.next()
            while True:
                yield event
                if isinstance(event, UsageFacts):
                    return
                event = await stream.next(0.0 if isinstance(event, Running) else hold_s)
        finally:
            writing.cancel()
            self.running.pop(key, None)

    async def _write(self, key: object, stream: Stream, request: DecodeRequest) -> None:
        await self.gate.wait()
        stream.put(Running(Committed(worker_id=self.worker_id, incarnation=self.incarnation), (Phase("queue", 1_000, 2_000),)))
        first, most = (1 if request.ticket else 0), request.bounds.max_output_tokens
        for index in range(first, most):
            await asyncio.sleep(self.pace_s)
            await self.gate.wait()
            if not stream.put_tokens([Token(index=index, token_id=token_of(request.prompt_tokens, index))]):
                self.running.pop(key, None)
                return
        stream.put(ChoiceFinished(reason=FINISH_REASON_LENGTH, output_tokens=most))
        stream.put(UsageFacts(prompt_tokens=len(request.prompt_tokens), output_tokens=most - first))
        self.running.pop(key, None)
