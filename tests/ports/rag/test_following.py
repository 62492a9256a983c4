"""From the ledger into both legs, on the real things: an index made anew ranks as the one that followed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from meshkit.clock import SystemClock
from meshkit.errors import Unavailable
from numpy.typing import NDArray
from rag.adapters.ledger.open import Ledger
from rag.adapters.milvus_vectors import MilvusVectors
from rag.adapters.numpy_lexical import NumpyLexical
from rag.domain.access import Access
from rag.domain.document import AsOf
from rag.domain.ranking import Filter, Hit
from rag.domain.terms import query_terms, terms
from rag.ports import Kind
from rag.steps.follow import Follow
from rag.steps.legs import Leg, LexicalLeg, VectorLeg

from tests.ports.rag.handing_in import T, shown, submission
from tests.ports.rag.passages import sentence
from tests.stack import Stack


class Encoder:
    """A neighbour: the same text, the same vector."""

    identity, dimension = "test encoder", 16

    def __init__(self) -> None:
        self.away, self.encoded = False, 0

    async def encode(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        if self.away:
            raise Unavailable("away", reason="ENCODER_UNAVAILABLE")
        self.encoded += len(texts)
        seeds = [int.from_bytes(sha256(text.encode()).digest()[:4], "big") for text in texts]
        rows = np.array([np.random.default_rng(seed).standard_normal(16) for seed in seeds], np.float32)
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def lexical_at(folder: Path) -> NumpyLexical:
    return NumpyLexical(folder, terms, "terms")


async def followed(ledger: Ledger, leg: Leg, name: str) -> Follow:
    follow = Follow(ledger.library, leg, SystemClock(), follower=name)
    while await follow.turn():
        pass
    return follow


async def everything(ledger: Ledger, known_at: int | None = None) -> Filter:
    known = await ledger.library.sequence() if known_at is None else known_at
    return Filter(T, frozenset(range(1, 50)), AsOf(1_000, known))


async def a_history(ledger: Ledger, source: random.Random) -> None:
    """Documents in versions, some withdrawn, three accesses."""
    for n in range(12):
        access = Access(1 + n % 3)
        for version in range(1, 1 + source.randint(1, 3)):
            texts = [sentence(source) for _ in range(source.randint(1, 6))]
            await shown(ledger, submission(f"文档{n}", version, access=access), texts)
        if n % 5 == 4:
            await ledger.intake.withdraw(T, f"文档{n}", 9, 0)


async def test_rebuilt_equal(ledger: Ledger, tmp_path: Path) -> None:
    source = random.Random(1)
    asked = [query_terms(sentence(source, 10)) for _ in range(100)]
    async with lexical_at(tmp_path / "live") as live, lexical_at(tmp_path / "anew") as anew:
        follow = Follow(ledger.library, LexicalLeg(live), SystemClock(), follower="live")
        await a_history(ledger, source)
        for n in range(3):
            await follow.turn()
            await shown(ledger, submission("文档0", 7 + n), [sentence(source)])
        while await follow.turn():
            pass
        await followed(ledger, LexicalLeg(anew), "anew")
        for where in (await everything(ledger), await everything(ledger, 7)):
            rankings = [await live.search(terms_, where, 100) for terms_ in asked]
            assert rankings == [await anew.search(terms_, where, 100) for terms_ in asked]
            assert sum(map(len, rankings)) > 100
        assert live.position == anew.position == await ledger.library.sequence()


async def test_the_wording_of_then_is_found_then_and_a_withdrawn_one_never(ledger: Ledger, tmp_path: Path) -> None:
    first = await shown(ledger, submission("条款", 1), ["犹豫期为十日"])
    await shown(ledger, submission("条款", 2), ["犹豫期为十五日"])
    async with lexical_at(tmp_path / "index") as lexical:
        follow = await followed(ledger, LexicalLeg(lexical), "mine")

        async def found(known_at: int | None = None) -> list[str]:
            hits: list[Hit] = await lexical.search(query_terms("犹豫期"), await everything(ledger, known_at), 9)
            chunks = await ledger.library.chunks(T, [hit.chunk_id for hit in hits])
            return [chunks[hit.chunk_id][0].passage.text for hit in hits]

        assert (await found(), await found(first)) == (["犹豫期为十五日"], ["犹豫期为十日"])
        await ledger.intake.withdraw(T, "条款", 9, 0)
        await follow.turn()
        assert (await found(), await found(first), lexical.passages) == ([], [], 0)


@pytest.mark.stack
async def test_vectors_follow_wait_for_the_encoder_and_are_not_made_twice(ledger: Ledger, stack: Stack) -> None:
    source, encoder, prefix = random.Random(2), Encoder(), f"test_{uuid.uuid4().hex[:10]}"
    await a_history(ledger, source)
    async with MilvusVectors(
        stack.milvus, "", prefix, identity=encoder.identity, dimension=16, timeout_s=20.0, search_timeout_s=20.0
    ) as vectors:
        encoder.away = True
        away = await followed(ledger, VectorLeg(vectors, encoder), "ingest")
        where = await everything(ledger)
        question = (await Encoder().encode([sentence(source)], Kind.QUERY))[0]
        assert (away.waiting > 0, await vectors.search(question, where, 100)) == (True, [])
        encoder.away = False
        await followed(ledger, VectorLeg(vectors, encoder), "ingest")  # begun again
        hits = await vectors.search(question, where, 1_000)
        chunks = await ledger.library.chunks(T, [hit.chunk_id for hit in hits])
        assert len(chunks) == len(hits) > 10
        assert all(version.to_seq > where.as_of.known_at_seq for _, version in chunks.values())
        assert await vectors.position() == where.as_of.known_at_seq
        made = encoder.encoded
        await vectors.settle(0)
        await followed(ledger, VectorLeg(vectors, encoder), "ingest")
        assert (encoder.encoded, await vectors.search(question, where, 1_000)) == (made, hits)
