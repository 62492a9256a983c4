"""A ledger full of passages under a hundred access ids, and what a question goes through over it in `rag-rpc`, in this process.

Texts are those of `rag_index`. Surprising: vectors are seeded and mean nothing, for encoding 100,000 passages takes an hour; a search does
the same work over them. Documents are published one by one, as they would be, and the two legs are written as their followers write them.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from meshkit.crypto.derive import SEAL, development
from meshkit.crypto.ring import Ring
from meshkit.crypto.seal import Sealer, SealKey
from rag import ports
from rag.adapters.ledger.open import Ledger, ledger_at
from rag.adapters.numpy_lexical import NumpyLexical
from rag.domain import records, terms
from rag.domain.access import Access, Reader
from rag.domain.document import FOREVER, AsOf, NewChunk, Prepared, State, Submission
from rag.domain.indexing import indexed_passages
from rag.domain.ranking import IndexedChunk
from rag.domain.retrieval import Found, Query
from rag.steps.legs import LexicalLeg
from rag.steps.resolve import Resolve
from rag.steps.retrieve import Legs, Retrieve

from bench import rag_index
from bench.report import Say

PERSON, PURPOSE = "asker", "evaluation"
NOW_US = 1_790_000_000_000_000
_VERSIONS, _ROWS = 100, 500  # published before the legs are written; rows that Milvus is given at once
_LEASE_S = 24 * 3_600.0


class Shelf:
    """Made by `opened`."""

    def __init__(self, ledger: Ledger, lexical: NumpyLexical, vectors: ports.Vectors, encoder: ports.Encoder) -> None:
        self._ledger, self._lexical, self._vectors = ledger, lexical, vectors
        self._leg = LexicalLeg(lexical)
        self._dimension = encoder.dimension
        self._retrieve = Retrieve(ledger.library, Legs(lexical, vectors, encoder), Resolve(ledger.library), ledger.tunings)
        self._source = enumerate(rag_index.passages(1 << 40))
        self._epoch = -1

    @property
    def passages(self) -> int:
        """How many there are on the lexical leg."""
        return self._lexical.passages

    async def fill(self, count: int, say: Say) -> float:
        """Go on until there are so many passages, or a few more; return the passages a second of the lexical leg alone."""
        if self._epoch < 0:
            self._epoch = await self._ledger.workbench.lead("bench", _LEASE_S, NOW_US)
        before, lexical_s = self.passages, 0.0
        while (there := self.passages) < count:
            say("passages", there, count)
            wanted = min(_VERSIONS, -(-(count - there) // rag_index.CHUNKS_OF_A_VERSION))
            written = [await self._published(number, made) for number, made in itertools.islice(self._source, wanted)]
            sequence = await self._ledger.library.sequence()
            began = time.perf_counter()
            for some in written:
                await self._leg.write(rag_index.TENANT, some[0].version_id, some)
            await self._leg.settle(sequence)
            lexical_s += time.perf_counter() - began
            await self._write_vectors([chunk for some in written for chunk in some])
            await self._vectors.settle(sequence)
        say("passages", count, count)
        return (self.passages - before) / lexical_s if lexical_s else float("nan")

    async def ask(self, question: str, readable: int = rag_index.ACCESS_IDS) -> Found:
        """Return what somebody finds who may read so many of the access ids."""
        reader = Reader(rag_index.TENANT, PERSON, PURPOSE, clearance=1, groups=frozenset(map(_group, range(readable))))
        return await self._retrieve(Query(reader=reader, question=question, as_of=AsOf(NOW_US, FOREVER), now_us=NOW_US))

    async def _published(self, number: int, made: Sequence[IndexedChunk]) -> list[IndexedChunk]:
        """Enrol and publish a version; return its passages as the ledger has them."""
        access = Access(1, groups=frozenset({_group(made[0].access_id)}))
        title = f"文书第{number}号" if number % 2 else f"Wording No. {number}"
        submission = Submission(
            tenant=rag_index.TENANT,
            document_id=f"document-{number:06}",
            source_version=1,
            title=title,
            media_type=records.MEDIA_TYPE,
            blob=f"original-{number}",
            content_sha256=sha256(title.encode()).digest(),
            access=access,
            submitted_by=PERSON,
        )
        ledger = self._ledger
        await ledger.intake.enrol(submission, NOW_US)
        (job,) = await ledger.workbench.claim(self._epoch, (), 1, NOW_US)
        chunks = [NewChunk(ordinal, each.text, access, heading_path=each.context) for ordinal, each in enumerate(made)]
        prepared = Prepared(title, chunks, State.VISIBLE, b"bench", names=[(title, access)])
        await ledger.workbench.publish(job, prepared, NOW_US)
        return indexed_passages(*await ledger.library.indexed(job.version.version_id))

    async def _write_vectors(self, chunks: Sequence[IndexedChunk]) -> None:
        for at in range(0, len(chunks), _ROWS):
            some = chunks[at : at + _ROWS]
            vectors = rag_index.vectors(len(some), seed=some[0].chunk_id, dimension=self._dimension)
            await self._vectors.upsert(rag_index.TENANT, some, vectors)


@asynccontextmanager
async def opened(folder: Path, vectors: ports.Vectors, encoder: ports.Encoder) -> AsyncIterator[Shelf]:
    """An empty shelf in a folder."""
    ledger = ledger_at(f"sqlite:///{folder / 'ledger.db'}", sealer())
    async with ledger.store, NumpyLexical(folder / "index", terms.terms, f"terms {terms.VERSION}") as lexical:
        yield Shelf(ledger, lexical, vectors, encoder)


def sealer() -> Sealer:
    """Return what seals a ledger that is gone after the run."""
    return Sealer(Ring(development(SEAL), SealKey))


def _group(access_id: int) -> str:
    return f"group-{access_id}"
