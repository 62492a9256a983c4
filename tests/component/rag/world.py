"""rag-rpc in process: real gRPC, real ledger, originals, lexical index and follower; beside it a dense index that keeps to no filter.

Whoever asks is who the headers say, as the gateway sends them; the audit log is a list. `World.calls` counts what stores were asked, so
that what takes as long can be told without a clock.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.rag.v1 import rag_service_pb2_grpc
from meshkit.audit.records import AuditRecords
from meshkit.clock import FakeClock
from meshkit.rpc.server import MeshServer
from meshkit.service import Service
from meshkit.testing.keys import commitment_ring, payload_sealer
from meshkit.testing.serving import running
from numpy.typing import NDArray
from rag import ports
from rag.adapters.file_blobs import FileBlobs
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.adapters.numpy_lexical import NumpyLexical
from rag.config import ReaderSettings, RpcConfig
from rag.domain.access import Access, Grant
from rag.domain.document import NewChunk, Prepared, State, Submission
from rag.domain.ranking import Filter, Hit, IndexedChunk
from rag.domain.terms import terms
from rag.main.legs import DenseLeg
from rag.main.parts import Parts
from rag.main.rpc import DEADLINES, use_cases
from rag.servicer import RagServicer
from rag.steps.follow import Follow
from rag.steps.legs import LexicalLeg

NOW_S = 1_790_000_000.0
NOW_US = int(NOW_S * 1_000_000)
TENANT = "bank-a"
OPEN = Access(1)


class Encoder:
    """A neighbour: texts that begin alike have like vectors."""

    identity, dimension = "test", 8

    async def encode(self, texts: Sequence[str], kind: ports.Kind) -> NDArray[np.float32]:
        rows = np.array([[1.0 + (ord(text[0]) % 7 if text else 0), *([1.0] * 7)] for text in texts], np.float32)
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


@dataclass
class LawlessVectors:
    """A dense index that answers with everything it has, of any tenant and any right, the newest first."""

    chunk_ids: list[int] = field(default_factory=list)

    async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
        return [Hit(each, 1.0) for each in reversed(self.chunk_ids)]

    async def missing(self, tenant: str, chunks: Sequence[IndexedChunk]) -> list[int]:
        return []


@dataclass
class World:
    """One rag-rpc and what stands behind it."""

    ledger: Ledger
    follow: Follow
    vectors: LawlessVectors
    stub: Any = None
    target: str = ""
    records: list[AuditRecord] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    async def put(
        self, document_id: str, *texts: str, access: Access = OPEN, headings: Sequence[str] = (), cut: Sequence[NewChunk] = (), **said: Any
    ) -> int:
        """Make a version of a document visible; return its sequence. ``cut``: its passages, where they are not alike."""
        content = "\n".join(texts or (each.text for each in cut)).encode()
        submission = Submission(
            tenant=said.pop("tenant", TENANT),
            document_id=document_id,
            source_version=said.pop("source_version", 1),
            title=said.pop("title", document_id),
            media_type="text/plain",
            blob=hashlib.sha256(content).hexdigest(),
            content_sha256=hashlib.sha256(content).digest(),
            access=access,
            submitted_by="desk",
        )
        submission = replace(submission, **said)
        bench = self.ledger.workbench
        epoch = await bench.lead("test", 60.0, NOW_US)
        await self.ledger.intake.enrol(submission, NOW_US)
        (job,) = await bench.claim(epoch, (), 1, NOW_US)
        whole = [NewChunk(place, text, access, tuple(headings), clause=f"第{place + 1}条") for place, text in enumerate(texts)]
        chunks = list(cut) or whole
        names = [(submission.title, access), *((heading, access) for heading in headings)]
        sequence = await bench.publish(job, Prepared(submission.title, chunks, State.VISIBLE, b"c", names=names), NOW_US)
        _, indexed = await self.ledger.library.indexed(job.version.version_id)
        self.vectors.chunk_ids += [chunk.chunk_id for chunk in indexed]
        await self.indexed()
        return sequence

    async def withdraw(self, document_id: str, tenant: str = TENANT) -> None:
        await self.ledger.intake.withdraw(tenant, document_id, 0, NOW_US)
        await self.indexed()

    async def grant(self, principal: str, clearance: int = 3, groups: Collection[str] = (), barriers: Collection[str] = ()) -> None:
        await self.ledger.custody.set_grant(TENANT, principal, Grant(clearance, frozenset(groups), frozenset(barriers)))

    async def indexed(self) -> None:
        while await self.follow.turn():
            pass


def caller(principal: str = "reader", *, clearance: int = 3, purpose: str = "", tenant: str = TENANT) -> tuple[tuple[str, str], ...]:
    """What the gateway says of a caller."""
    said = {"tenant": tenant, "principal": principal, "purpose": purpose, "clearance": str(clearance), "policy-hash": "00" * 32}
    return tuple((f"x-finmesh-{name}", value) for name, value in said.items() if value)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Serve."""
    clock, ring = FakeClock(NOW_S), commitment_ring()
    ledger = ledger_at(f"sqlite:///{folder / 'ledger.db'}", payload_sealer())
    lexical = NumpyLexical(folder / "index", terms, "terms")
    config = RpcConfig(reader=ReaderSettings(index=folder / "index", catch_up_s=0.5))
    vectors = LawlessVectors()
    made = World(ledger, Follow(ledger.library, LexicalLeg(lexical), clock, follower="test"), vectors)
    _count(made.calls, "read", ledger.store)
    _count(made.calls, "write", ledger.store)
    _count(made.calls, "search", lexical)
    _count(made.calls, "statistics", lexical)
    _count(made.calls, "search", vectors)

    class Log:
        async def write(self, batch: Sequence[bytes | AuditRecord]) -> None:
            made.calls["log"] += len(batch)
            made.records.extend(each if isinstance(each, AuditRecord) else AuditRecord.FromString(each) for each in batch)

    async def serve(service: Service) -> None:
        trail: Any = SimpleNamespace(
            emitter=Log(), records=AuditRecords("rag", "test", clock), versions=SimpleNamespace(follow=lambda *_: None)
        )
        parts = Parts(
            instance="test",
            clock=clock,
            sealer=payload_sealer(),
            commitments=ring,
            events=None,  # type: ignore[arg-type]
            trail=trail,
            denials=None,  # type: ignore[arg-type]
            ledger=ledger,
            blobs=FileBlobs(folder / "blobs", payload_sealer(), ring, clock),
        )
        dense = DenseLeg(Encoder(), vectors)  # type: ignore[arg-type]
        use = await use_cases(config, service, parts, lexical, made.follow, dense)
        server = MeshServer.of(config, config.callers, DEADLINES)
        rag_service_pb2_grpc.add_RagServiceServicer_to_server(RagServicer(use), server)
        await service.run(server)

    async with (
        ledger.store,
        lexical,
        running(Service(config, "rag"), serve) as service,
        grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel,
    ):
        made.stub = rag_service_pb2_grpc.RagServiceStub(channel)
        made.target = f"127.0.0.1:{service.port}"
        yield made


def _count(calls: Counter[str], name: str, owner: Any) -> None:
    real = getattr(owner, name)

    async def counted(*arguments: Any, **named: Any) -> Any:
        calls[f"{type(owner).__name__}.{name}"] += 1
        return await real(*arguments, **named)

    setattr(owner, name, counted)
