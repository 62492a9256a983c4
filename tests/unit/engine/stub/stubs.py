"""An engine as its operations show it, without Triton: real engine, real hand-off, answers kept in memory."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from engine.handoff.chain import block_ids
from engine.handoff.publisher import Publisher
from engine.handoff.puller import Puller
from engine.llm import manifest
from engine.stub import settings
from engine.stub.parts import Parts, assemble
from finmesh.engine.v1 import engine_pb2 as pb
from finmesh.inference.v1 import decode_service_pb2, generation_pb2, prefill_service_pb2, worker_pb2
from google.protobuf.message import Message
from llm import tiny
from meshkit.crypto.keyed_ids import uuid7

NAMESPACE = bytes(range(32))
TENANT = b"t" * 32
WAIT_S = 60.0
FREE_S = 20.0
"""Less than the lease of what would never be freed otherwise."""


class Memory:
    """One inference, answered into memory."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.is_cancelled = False
        self.is_ended = False
        self.changed = threading.Condition()

    def send(self, content: bytes, *, is_last: bool = False) -> None:
        with self.changed:
            assert not self.is_ended, "an answer behind the last one"
            self.contents.append(content)
            self.is_ended = is_last
            self.changed.notify_all()

    def end(self) -> None:
        with self.changed:
            assert not self.is_ended, "ended twice"
            self.is_ended = True
            self.changed.notify_all()

    def until(self, found: Callable[[list[bytes]], Any]) -> Any:
        """Return what is found in what was sent, as soon as it is there."""
        with self.changed:
            assert self.changed.wait_for(lambda: found(self.contents) is not None, WAIT_S), f"never said; {len(self.contents)} answers"
            return found(self.contents)

    def until_end(self) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.is_ended, WAIT_S)


class Refused(Exception):
    def __init__(self, refusal: pb.Refusal) -> None:
        super().__init__(f"{refusal.reason}: {refusal.message}")
        self.reason = refusal.reason


class Stub:
    """``name``: of the one owner that asks."""

    def __init__(self, parts: Parts, folder: Path) -> None:
        self.parts, self.folder, self.name, self.events = parts, folder, "owner", Memory()
        self.manifest = parts.engine.manifest
        self.join(self.name, self.events)

    def join(self, name: str, events: Memory) -> None:
        self.parts.operations.handle("events", pb.OwnerOperation(owner=name).SerializeToString(), events)

    def ask(self, name: str, operation: Message | bytes) -> bytes:
        answer = Memory()
        body = operation if isinstance(operation, bytes) else operation.SerializeToString()
        self.parts.operations.handle(name, body, answer)
        answer.until_end()
        (content,) = answer.contents
        if content[0]:
            raise Refused(pb.Refusal.FromString(content[1:]))
        return content[1:]

    def told(self, name: str = "events") -> list[pb.Events]:
        return [pb.Events.FromString(content) for content in self.events.contents]

    def ended(self, work_id: str) -> pb.RequestEnded:
        """Wait for the end of a work."""

        def found(contents: list[bytes]) -> pb.RequestEnded | None:
            return next((end for each in contents for end in pb.Events.FromString(each).ended if end.work_id == work_id), None)

        end: pb.RequestEnded = self.events.until(found)
        return end

    def prefilled(self, work_id: str) -> pb.Prefilled:
        (only,) = [each for events in self.told() for each in events.prefilled if each.work_id == work_id]
        return only

    def committed(self, work_id: str) -> pb.RowCommitted:
        (only,) = [each for events in self.told() for each in events.committed if each.work_id == work_id]
        return only

    def tokens(self, work_id: str, choice: int = 0) -> list[tuple[int, int]]:
        """(index, token) of one answer, in the order told."""
        found = []
        for events in self.told():
            columns = events.tokens
            for work, each, index, token in zip(columns.work, columns.choice, columns.index, columns.token_id, strict=True):
                if events.work_ids[work] == work_id and each == choice:
                    found.append((index, token))
        return found

    def held(self) -> list[str]:
        return list(pb.HeldResult.FromString(self.ask("held", pb.OwnerOperation())).held)

    def until_free(self) -> None:
        """Wait until nothing is held by anybody."""
        over = time.monotonic() + FREE_S
        while self.held():
            assert time.monotonic() < over, self.held()
            time.sleep(0.01)

    def reserve(self, tokens: Sequence[int], choices: int = 1, owner: str = "") -> tuple[str, int]:
        reservation_id = uuid7()
        request = decode_service_pb2.ReserveRequest(
            request_id="r",
            model_digest=bytes.fromhex(self.manifest.digest),
            block_ids=block_ids(NAMESPACE, tokens),
            prompt_tokens=len(tokens),
            max_output_tokens=16,
            choices=choices,
            ttl_ms=30_000,
        )
        asked = pb.ReserveOperation(request=request, reservation_id=reservation_id, owner=owner or self.name)
        return reservation_id, pb.ReserveResult.FromString(self.ask("reserve", asked)).first_block


def prefill_request(model: manifest.Manifest, tokens: Sequence[int], **changes: Any) -> prefill_service_pb2.PrefillRequest:
    request = prefill_service_pb2.PrefillRequest(
        handoff_id=changes.pop("handoff_id", None) or uuid7(),
        epoch=1,
        request_id="request-1",
        model_digest=bytes.fromhex(model.digest),
        layout_digest=bytes.fromhex(model.layout_digest),
        prompt_tokens=tokens,
        namespace=NAMESPACE,
        grade=2,
        tenant_digest=TENANT,
        sampling=generation_pb2.Sampling(choices=1),
        bounds=generation_pb2.Bounds(max_output_tokens=12, ignore_end=True),
    )
    request.MergeFrom(prefill_service_pb2.PrefillRequest(**changes))
    return request


def decode_request(model: manifest.Manifest, tokens: Sequence[int], **changes: Any) -> decode_service_pb2.DecodeRequest:
    request = decode_service_pb2.DecodeRequest(
        request_id="request-1",
        model_digest=bytes.fromhex(model.digest),
        prompt_tokens=tokens,
        namespace=NAMESPACE,
        grade=2,
        tenant_digest=TENANT,
        sampling=generation_pb2.Sampling(choices=1),
        bounds=generation_pb2.Bounds(max_output_tokens=12, ignore_end=True),
    )
    request.MergeFrom(decode_service_pb2.DecodeRequest(**changes))
    return request


def engine_json(folder: Path, model: Path, role: str, **changes: Any) -> dict[str, Any]:
    """Settings of one engine whose files lie in ``folder``."""
    keys = folder / "tickets.json"
    keys.write_text(json.dumps({"purpose": "tickets", "primary": "k1", "keys": {"k1": "11" * 32}}))
    is_prefill = role == "prefill"
    return {
        "version": 1, "role": role, "worker_id": f"triton-{role}", "model": str(model), "rows": 4, "max_len_tokens": 512, "threads": 1,
        "arena_bytes": (8 << 20) if is_prefill else 0, "prefix_store_bytes": 4 << 20, "ticket_keys": str(keys), "pid_file": "",
        "vendor": "onnxruntime", "device": "cpu", "zone": "local", "highest_grade": 3, "price_per_hour_minor": 0, "chunk_tokens": 64,
        "kv": {"socket": str(folder / "kv.sock") if is_prefill else "", "listen": "", "address": "", "certificate": "", "key": "",
               "authority": "", "server_name": "", "peers": []},
        **changes,
    }  # fmt: skip


@contextmanager
def stub(role: str, publisher: Any = Publisher, puller: Any = Puller, **changes: Any) -> Iterator[Stub]:
    """Run one engine on the tiny model."""
    folder = Path(mkdtemp(prefix="fs "))
    (folder / "model").mkdir()
    model = tiny.make(folder / "model", tiny.Tiny(weights="fp32", accuracy_level=0, family="llama"))
    (folder / settings.FILE).write_text(json.dumps(engine_json(folder, model, role, **changes), ensure_ascii=False))
    parts = assemble(settings.read(folder), publisher, puller)
    try:
        yield Stub(parts, folder)
    finally:
        parts.close()
        shutil.rmtree(folder)


def load_of(stub: Stub) -> worker_pb2.WorkerLoad:
    return worker_pb2.WorkerLoad.FromString(stub.ask("alive", pb.OwnerOperation(owner=stub.name)))
