"""Inference services over real sockets, whose engines are a table: what they say can be wrong, late, cut short, or never said.

Keys and values are entries of one ledger, so that a test can ask what nobody freed. An answer is a function of prompt, seed and choice.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from finmesh.inference.v1 import decode_service_pb2 as decode_pb
from finmesh.inference.v1 import decode_service_pb2_grpc as decode_grpc
from finmesh.inference.v1 import generation_pb2 as pb
from finmesh.inference.v1 import prefill_service_pb2 as prefill_pb
from finmesh.inference.v1 import prefill_service_pb2_grpc as prefill_grpc
from finmesh.inference.v1 import worker_pb2
from finmesh.inference.v1 import worker_service_pb2 as worker_service_pb
from finmesh.inference.v1 import worker_service_pb2_grpc as worker_grpc
from meshkit.errors import FailedPrecondition, InvalidArgument, NotFound, Overloaded, Unavailable
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer

END = 0
BLOCK_TOKENS = 4
MODEL = "tiny"
LAYOUT = b"layout-of-16-byt"
Fault = Callable[[], Awaitable[None]]


SCRIPTS: dict[str, tuple[str, ...]] = {}
"""What is answered to a prompt that ends with § and one of these names, by choice."""


def digest_of(model: str) -> bytes:
    return sha256(f"model {model}".encode()).digest()


def answer(prompt: list[int], seed: int, choice: int) -> list[int]:
    """The tokens of an answer, characters here, the end included."""
    _, mark, name = "".join(map(chr, prompt)).rpartition("§")
    if mark:
        return [ord(each) for each in SCRIPTS[name][choice]] + [END]
    return [ord(each) for each in f"第{choice}个回答 to {len(prompt)} tokens, seed {seed % 1000}: 批准. bye"] + [END]


async def forever() -> None:
    """Hang."""
    await asyncio.Event().wait()


@dataclass
class Ledger:
    """Keys and values that are published, by (hand-off, epoch), and rooms that are held, by reservation."""

    published: dict[tuple[str, int], str] = field(default_factory=dict)
    rooms: dict[str, str] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    def nothing_is_held(self) -> bool:
        return not (self.published or self.rooms or self.running)


class Node(worker_grpc.WorkerServiceServicer):
    """One instance of a service with one worker behind it."""

    role = worker_pb2.WORKER_ROLE_UNSPECIFIED
    takes_text = False

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        *,
        rows: int = 8,
        layout: bytes = LAYOUT,
        grade: int = 3,
        max_len: int = 256,
        kind: str = "triton",
        model: str = MODEL,
    ) -> None:
        self.name, self.ledger, self.rows, self.layout, self.grade, self.max_len = name, ledger, rows, layout, grade, max_len
        self.kind, self.model = kind, model
        self.incarnation = f"{name}-1"
        self.faults: deque[Fault] = deque()
        self.asked: list[Any] = []
        self.events: list[worker_pb2.KvEvent] = []
        self.load = worker_pb2.WorkerLoad(state=worker_pb2.WORKER_STATE_READY, step_ms=10, prefill_tokens_per_s=1000)
        self.positions: list[int] = []
        self.is_gone = False
        self._news = asyncio.Condition()
        self._port = 0
        self._server: MeshServer | None = None

    async def start(self) -> Node:
        """Serve, on the port that it had before."""
        everything = {f"/finmesh.inference.v1.{name}": 60.0 for name in ("WorkerService/WatchWorkers", "DecodeService/Decode")}
        self._server = MeshServer(f"127.0.0.1:{self._port}", deadlines=Deadlines(maximum_s=everything))
        self._port = self._server.port
        worker_grpc.add_WorkerServiceServicer_to_server(self, self._server)  # type: ignore[arg-type]
        self._add(self._server)
        await self._server.start()
        return self

    def _add(self, server: MeshServer) -> None:
        raise NotImplementedError

    @property
    def is_up(self) -> bool:
        return self._server is not None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def kill(self) -> None:
        """Die: every call breaks off, and what was held is gone."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(0)
        for held in (self.ledger.published, self.ledger.rooms):
            for key in [key for key, owner in held.items() if owner == self.name]:
                del held[key]

    async def restart(self) -> None:
        self.incarnation = f"{self.name}-{int(self.incarnation.rpartition('-')[2]) + 1}"
        self.events = []
        await self.start()

    async def tell(self) -> None:
        """Have watchers look at load and events."""
        async with self._news:
            self._news.notify_all()

    async def WatchWorkers(self, request: Any, context: object) -> AsyncIterator[Any]:
        told = 0
        for position in request.positions:
            if (position.worker_id, position.incarnation) == (self.name, self.incarnation):
                told = position.seq
        self.positions.append(told)
        yield self._message(description=self.description())
        while True:
            for event in [each for each in self.events if each.seq > told]:
                told = event.seq
                yield self._message(event=event)
            yield self._message(gone=True) if self.is_gone else self._message(load=self.load)
            async with self._news:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.2)

    def _message(self, **news: Any) -> Any:
        return worker_service_pb.WatchWorkersResponse(worker_id=self.name, incarnation=self.incarnation, **news)

    def description(self) -> worker_pb2.WorkerDescription:
        return worker_pb2.WorkerDescription(
            worker_id=self.name,
            incarnation=self.incarnation,
            role=self.role,
            vendor="cpu",
            device="onnxruntime",
            model=self.model,
            model_digest=digest_of(self.model),
            layout_digest=self.layout,
            block_tokens=BLOCK_TOKENS,
            token_bytes=1024,
            max_len_tokens=self.max_len,
            rows=self.rows,
            highest_grade=self.grade,
            kind=self.kind,
            takes_text=self.takes_text,
        )

    async def fault(self) -> None:
        """Do what the test wants to go wrong with this call."""
        if self.faults:
            await self.faults.popleft()()


def tokens(answers: list[tuple[int, int, int]]) -> list[pb.Token]:
    return [pb.Token(choice=choice, index=index, token_id=token, logprob=-0.5) for choice, index, token in answers]


class PrefillNode(Node, prefill_grpc.PrefillServiceServicer):
    """Reads prompts. ``lease_ms``: how long what it publishes holds; ``forgets``: so many prompts are begun without the last answer."""

    role = worker_pb2.WORKER_ROLE_PREFILL
    lease_ms = 20_000
    forgets = 0

    def _add(self, server: MeshServer) -> None:
        prefill_grpc.add_PrefillServiceServicer_to_server(self, server)  # type: ignore[arg-type]

    async def Prefill(self, request: Any, context: object) -> Any:
        self.asked.append(request)
        assert request.worker_id == self.name
        assert request.model_digest == digest_of(self.model)
        await self.fault()
        if request.layout_digest != self.layout:
            raise FailedPrecondition("layouts differ", reason="LAYOUT_MISMATCH")
        prompt, choices = list(request.prompt_tokens), request.sampling.choices
        said = [answer(prompt, request.sampling.seed, choice) for choice in range(choices)]
        begun = range(choices - (self.forgets > 0) if self.kind != "vllm" else 0)
        self.forgets = 0
        first = tokens([(choice, 0, said[choice][0]) for choice in begun])
        usage = pb.UsageFacts(prompt_tokens=len(prompt), cached_tokens=2, accelerator="cpu/prefill", busy_ms=7)
        ended = request.bounds.max_output_tokens == 1 and self.kind != "vllm"
        finished = [pb.ChoiceFinished(choice=each, reason=pb.FINISH_REASON_LENGTH, output_tokens=1) for each in range(choices) if ended]
        response = prefill_pb.PrefillResponse(
            first_tokens=first, finished=finished, usage=usage, worker_id=self.name, incarnation=self.incarnation, lease_ms=self.lease_ms
        )
        if not ended:
            ticket = {"handoff": request.handoff_id, "epoch": request.epoch, "layout": self.layout.hex(), "prompt": prompt}
            if self.kind == "vllm":
                ticket["for"] = [request.decode_worker_id, request.decode_incarnation]
            response.ticket = json.dumps(ticket | {"first_block": request.first_block}).encode()
            for key in [key for key in self.ledger.published if key[0] == request.handoff_id]:
                del self.ledger.published[key]  # a higher epoch fences the lower
            self.ledger.published[request.handoff_id, request.epoch] = self.name
        return response

    async def AbortHandoff(self, request: Any, context: object) -> Any:
        self.ledger.log.append(f"abort {self.name}")
        for key in list(self.ledger.published):
            if key[0] == request.handoff_id and key[1] <= request.epoch:
                del self.ledger.published[key]
        return prefill_pb.AbortHandoffResponse()


class DecodeNode(Node, decode_grpc.DecodeServiceServicer):
    """Writes answers. ``cached_blocks``: of every prompt; ``between``: done before each message of tokens, with their first index."""

    role = worker_pb2.WORKER_ROLE_DECODE

    def __init__(self, name: str, ledger: Ledger, **other: Any) -> None:
        super().__init__(name, ledger, **other)
        self.reserve_faults: deque[Fault] = deque()
        self.cached_blocks = 0
        self.together = 3
        self.is_honest = True
        self.between: Callable[[int], Awaitable[None]] | None = None
        self.renewed = 0
        self.reserved: list[Any] = []

    def _add(self, server: MeshServer) -> None:
        decode_grpc.add_DecodeServiceServicer_to_server(self, server)  # type: ignore[arg-type]

    def _used(self) -> int:
        return sum(owner == self.name for owner in self.ledger.rooms.values())

    async def Reserve(self, request: Any, context: object) -> Any:
        assert request.worker_id == self.name
        self.reserved.append(request)
        if self.reserve_faults:
            await self.reserve_faults.popleft()()
        if self._used() + request.choices > self.rows:
            raise Overloaded("no row is free", reason="OVERLOADED", retry_after_s=0.1)
        reservation = f"{self.name}/{request.request_id}/{len(self.ledger.log)}"
        self.ledger.log.append(f"reserve {self.name}")
        self.ledger.rooms[reservation] = self.name
        return decode_pb.ReserveResponse(
            reservation_id=reservation, worker_id=self.name, incarnation=self.incarnation, first_block=self.cached_blocks
        )

    async def RenewReservation(self, request: Any, context: object) -> Any:
        self.renewed += 1
        if request.reservation_id not in self.ledger.rooms:
            raise NotFound("no such reservation", reason="RESERVATION_LOST")
        return decode_pb.RenewReservationResponse()

    async def ReleaseReservation(self, request: Any, context: object) -> Any:
        self.ledger.rooms.pop(request.reservation_id, None)
        return decode_pb.ReleaseReservationResponse()

    async def Decode(self, request: Any, context: object) -> AsyncIterator[Any]:
        self.asked.append(request)
        run = f"{self.name}/{request.request_id}"
        self.ledger.running.add(run)
        try:
            async for part in self._decode(request):
                yield part
        finally:
            self.ledger.running.discard(run)
            self.ledger.rooms.pop(request.reservation_id, None)

    async def _decode(self, request: Any) -> AsyncIterator[Any]:
        if request.reservation_id not in self.ledger.rooms:
            raise NotFound("no such reservation", reason="RESERVATION_LOST")
        await self.fault()
        if "forbid" in request.grammar.json_schema:
            raise InvalidArgument("nothing satisfies it", reason="GRAMMAR_UNSATISFIABLE")
        prompt, first = list(request.prompt_tokens), 0
        if request.ticket:
            self._pulled(json.loads(request.ticket), prompt)
            first = 0 if self.kind == "vllm" else 1
        yield decode_pb.DecodeResponse(
            committed=decode_pb.Committed(worker_id=self.name, incarnation=self.incarnation, pulled_bytes=64 if first else 0, pull_ms=0.1)
        )
        said = {choice: answer(prompt, request.sampling.seed, choice) for choice in range(request.sampling.choices)}
        begun = dict.fromkeys(said, first) | {each.choice: len(each.token_ids) for each in request.emitted}
        for each in request.emitted:
            assert list(each.token_ids) == said[each.choice][: len(each.token_ids)]
        wrote = 0
        for choice in said.keys() - set(request.ended_choices):
            whole = said[choice][: request.bounds.max_output_tokens]
            for start in range(begun[choice], len(whole), self.together):
                if self.between is not None:
                    await self.between(start)
                piece = whole[start : start + self.together]
                skipped = 0 if self.is_honest else 1
                rows = [(choice, start + at + skipped, token) for at, token in enumerate(piece)]
                wrote += len(piece)
                yield decode_pb.DecodeResponse(tokens=decode_pb.Tokens(tokens=tokens(rows)))
            reason = pb.FINISH_REASON_STOP if whole[-1] == END else pb.FINISH_REASON_LENGTH
            yield decode_pb.DecodeResponse(finished=pb.ChoiceFinished(choice=choice, reason=reason, output_tokens=len(whole)))
        usage = pb.UsageFacts(prompt_tokens=len(prompt), output_tokens=wrote, accelerator="cpu/decode", busy_ms=11)
        yield decode_pb.DecodeResponse(ended=decode_pb.DecodeEnded(usage=usage))

    def _pulled(self, ticket: dict[str, Any], prompt: list[int]) -> None:
        """Pull, verify, commit: who published frees."""
        if ticket["layout"] != self.layout.hex():
            raise FailedPrecondition("layouts differ", reason="LAYOUT_MISMATCH")
        assert ticket["prompt"] == prompt
        assert ticket.get("for", [self.name, self.incarnation]) == [self.name, self.incarnation]
        assert ticket["first_block"] <= self.cached_blocks
        if self.ledger.published.pop((ticket["handoff"], ticket["epoch"]), None) is None:
            raise Unavailable("nothing is published", reason="LEASE_EXPIRED")


class GenerateNode(DecodeNode):
    """A foreign engine: reads prompts itself, takes no ticket. ``lacks``: what it refuses by name before any work."""

    role = worker_pb2.WORKER_ROLE_GENERATE

    def __init__(self, name: str, ledger: Ledger, *, lacks: str = "", **other: Any) -> None:
        super().__init__(name, ledger, layout=b"", kind="openai", **other)
        self.lacks = lacks

    async def _decode(self, request: Any) -> AsyncIterator[Any]:
        assert not request.ticket
        if self.lacks:
            raise FailedPrecondition("this engine can't do that", reason=f"ENGINE_LACKS_{self.lacks}")
        async for part in super()._decode(request):
            yield part


class TextNode(GenerateNode):
    """A foreign engine that takes text and tells text; ``counts``: tokens beyond its pieces, by its own count."""

    takes_text = True
    counts = 5

    async def _decode(self, request: Any) -> AsyncIterator[Any]:
        assert request.prompt_text == "".join(chr(each) for each in request.prompt_tokens)
        for each in request.emitted:
            assert each.text.decode() == "".join(chr(token) for token in each.token_ids)
        async for part in super()._decode(request):
            for token in part.tokens.tokens if part.WhichOneof("part") == "tokens" else ():
                token.text, token.token_id, token.is_text_only = chr(token.token_id).encode() if token.token_id else b"", 0, True
            if part.WhichOneof("part") == "finished":
                part.finished.output_tokens += self.counts
            yield part
