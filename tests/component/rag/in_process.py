"""Rag's own steps in one process, as an evaluation uses them: ledger in a file, lexical index, vectors in memory, an encoder of the test.

What stands in for neighbours: `Nearest` (exact search) for Milvus, `Hashing` for the model. Everything that ranks is the product's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
from finmesh_cli.knowledge.dataset import MEDIA_TYPE, Document
from meshkit.clock import FakeClock
from meshkit.errors import Unavailable
from meshkit.testing.keys import payload_sealer
from numpy.typing import NDArray
from rag import ports
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.adapters.numpy_lexical import NumpyLexical
from rag.domain import records, terms
from rag.domain.access import Access, Reader
from rag.domain.document import FOREVER, AsOf, NewChunk, Prepared, State, Submission
from rag.domain.indexing import indexed_passages
from rag.domain.probe import Probing, Tuned
from rag.domain.ranking import Filter, Hit, IndexedChunk
from rag.domain.retrieval import Found, Pipeline, Query, Scope
from rag.steps.resolve import Resolve
from rag.steps.retrieve import Legs, Retrieve
from rag.usecases.tune import Tune

TENANT = "evaluation"
NOW_S = 1_790_000_000.0
NOW_US = int(NOW_S * 1_000_000)
READER = Reader(TENANT, "evaluator", "evaluation", clearance=2)
PIECES = 400
_PIPELINES = {
    "lexical": Pipeline.LEXICAL,
    "dense": Pipeline.DENSE,
    "fused_unscoped": Pipeline.UNSCOPED,
    "fused": Pipeline.FUSED,
}


class Hashing:
    """An encoder without a model: hashed character trigrams. It follows spelling, not meaning, as a weak dense leg does."""

    identity, dimension = "hashing/1", 256

    async def encode(self, texts: Sequence[str], kind: ports.Kind) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            folded = terms.fold(text)
            for place in range(len(folded) - 2):
                digest = blake2b(folded[place : place + 3].encode(), digest_size=4).digest()
                vectors[row, int.from_bytes(digest, "big") % self.dimension] += 1
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


class Nearest:
    """Vectors in memory, searched exactly."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[IndexedChunk, NDArray[np.float32]]] = {}
        self._matrix: NDArray[np.float32] | None = None
        self.away = 0  # searches that are refused before one is answered

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk], vectors: NDArray[np.float32]) -> None:
        self._rows |= {chunk.chunk_id: (chunk, vector) for chunk, vector in zip(chunks, vectors, strict=True)}
        self._matrix = None

    async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
        if self.away:
            self.away -= 1
            raise Unavailable("away", reason="MILVUS_UNAVAILABLE")
        if self._matrix is None:
            self._matrix = np.array([row for _, row in self._rows.values()], np.float32)
        scores = self._matrix @ vector
        hits = [
            Hit(chunk.chunk_id, float(score))
            for (chunk, _), score in zip(self._rows.values(), scores, strict=True)
            if chunk.access_id in where.access_ids and (where.versions is None or chunk.version_id in where.versions)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[:limit]


class InProcess:
    """Port Knowledge of an evaluation."""

    def __init__(self, ledger: Ledger, lexical: NumpyLexical, encoder: ports.Encoder) -> None:
        self.ledger, self._lexical, self._encoder = ledger, lexical, encoder
        self.nearest, self._asked = Nearest(), 0
        vectors: ports.Vectors = self.nearest  # type: ignore[assignment]
        self.retrieve = Retrieve(ledger.library, Legs(lexical, vectors, encoder), Resolve(ledger.library), ledger.tunings)
        self._tune = Tune(
            library=ledger.library,
            lexical=lexical,
            vectors=vectors,
            encoder=encoder,
            tunings=ledger.tunings,
            clock=FakeClock(NOW_S),
            away_s=0.0,
        )

    async def submit(self, document: Document, access: Access | None = None) -> None:
        access = access or Access(1)
        submission = Submission(
            tenant=TENANT,
            document_id=document.document_id,
            source_version=1,
            title=document.title,
            media_type=MEDIA_TYPE,
            blob=document.document_id,
            content_sha256=sha256(document.content).digest(),
            access=access,
            submitted_by="evaluator",
        )
        epoch = await self.ledger.workbench.lead("a", 10.0, 0)
        await self.ledger.intake.enrol(submission, 0)
        (job,) = await self.ledger.workbench.claim(epoch, (), 1, 0)
        drafts = list(records.drafts(document.content, PIECES))
        chunks = [
            NewChunk(
                ordinal=ordinal,
                text=draft.text,
                access=access,
                heading_path=draft.heading_path,
                table_header=draft.table_header,
                clause=draft.clause,
                record_id=draft.record_id,
            )
            for ordinal, draft in enumerate(drafts)
        ]
        names = [(document.title, access)] if document.title else []
        sequence = await self.ledger.workbench.publish(job, Prepared(document.title, chunks, State.VISIBLE, b"c", names=names), 0)
        version, held = await self.ledger.library.indexed(job.version.version_id)
        passages = indexed_passages(version, held)
        await self._lexical.upsert(TENANT, passages)
        await self.nearest.upsert(TENANT, passages, await self._encoder.encode([each.text for each in passages], ports.Kind.PASSAGE))
        await self._lexical.settle(sequence)

    async def settled(self, say: Callable[[int], None]) -> int:
        say(0)
        return 0

    async def tuned(self) -> Tuned:
        told = [each async for each in self._tune(TENANT, "operator")]
        (*probing, tuned) = told
        assert isinstance(tuned, Tuned) and all(isinstance(each, Probing) for each in probing)
        return tuned

    async def tune(self) -> Mapping[str, float]:
        return {str(language): weight for language, weight in (await self.tuned()).tuning.dense_weight.items()}

    async def found(self, question: str, pipeline: Pipeline = Pipeline.FUSED, scope: Scope = Scope(), limit: int = 10) -> Found:  # noqa: B008
        self._asked += 1
        query = Query(
            reader=READER,
            question=question,
            as_of=AsOf(NOW_US, FOREVER),
            now_us=NOW_US,
            scope=scope,
            limit=limit,
            pipeline=pipeline,
            explain=True,
            collapse_records=True,
        )
        return await self.retrieve(query)

    async def search(self, question: str, pipeline: str, scope: str, depth: int) -> list[str]:
        narrowed = Scope(documents=(scope,)) if scope else Scope()
        found = await self.found(question, _PIPELINES[pipeline], narrowed, depth)
        return [passage.chunk.passage.record_id for passage in found.passages]


@asynccontextmanager
async def opened(folder: Path, encoder: ports.Encoder | None = None) -> AsyncIterator[InProcess]:
    """An empty rag in a folder."""
    ledger = ledger_at(f"sqlite:///{folder / 'ledger.db'}", payload_sealer())
    async with ledger.store, NumpyLexical(folder / "index", terms.terms, f"terms {terms.VERSION}") as lexical:
        yield InProcess(ledger, lexical, encoder or Hashing())


def ids_of(found: Found) -> Collection[str]:
    """Record ids, best first."""
    return [passage.chunk.passage.record_id for passage in found.passages]
