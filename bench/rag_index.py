"""Both legs of retrieval at 10,000 and 100,000 passages: time of a search with filters on over 100 access ids, speed of writing, memory.

`passages`, `questions` and `where` are for whoever composes a bench of retrieval. Surprising: words are drawn as in natural text (few of
them often, most of them hardly ever); of templates every passage would hold every word, and a search would have to score all of them.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rag.adapters.milvus_vectors import MilvusVectors
from rag.adapters.numpy_lexical import NumpyLexical
from rag.domain.document import FOREVER, AsOf
from rag.domain.ranking import Filter, IndexedChunk
from rag.domain.terms import query_terms, terms

TENANT = "bench"
ACCESS_IDS = 100
DIMENSION = 384
_BATCH = 500
CHUNKS_OF_A_VERSION = 20
_WORDS, _HAN = 20_000, 3_000
_LENGTH = (40, 120)
_QUESTIONS = 200


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of searches, one after the other, and passages written a second."""

    p50_ms: float
    p99_ms: float
    passages_per_s: float


def _cumulated(count: int) -> list[float]:
    """Weights of a vocabulary: the n-th word is drawn about 1/n as often as the first."""
    return list(itertools.accumulate(1 / (rank + 2.7) for rank in range(count)))


class Writer:
    """Seeded sentences, every other passage Chinese."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        vocabulary = random.Random(0)
        syllables = [a + b for a in "bcdfghlmnprstvw" for b in "aeiou"]
        self._words = ["".join(vocabulary.choices(syllables, k=vocabulary.randint(2, 4))) for _ in range(_WORDS)]
        self._han = vocabulary.sample([chr(code) for code in range(0x4E00, 0x9FA0)], _HAN)
        self._of_words, self._of_han = _cumulated(_WORDS), _cumulated(_HAN)

    def text(self, chinese: bool, length: int) -> str:
        """Return words, or twice as many characters."""
        if chinese:
            return "".join(self._source.choices(self._han, cum_weights=self._of_han, k=2 * length))
        return " ".join(self._source.choices(self._words, cum_weights=self._of_words, k=length))

    def passage(self, number: int) -> str:
        """Return the text of a passage."""
        return self.text(number // CHUNKS_OF_A_VERSION % 2 == 1, self._source.randint(*_LENGTH))


def passages(count: int, seed: int = 1) -> Iterator[list[IndexedChunk]]:
    """Versions of 20 passages, each of one access id of a hundred, under a heading."""
    writer = Writer(seed)
    for first in range(0, count, CHUNKS_OF_A_VERSION):
        texts = [writer.passage(first + n) for n in range(min(CHUNKS_OF_A_VERSION, count - first))]
        version = first // CHUNKS_OF_A_VERSION
        yield [
            IndexedChunk(
                first + n,
                version,
                access_id=version % ACCESS_IDS,
                text=text,
                context=(texts[0][:20],),
                from_seq=1,
                to_seq=FOREVER,
                valid_from_us=0,
                valid_to_us=FOREVER,
            )
            for n, text in enumerate(texts)
        ]


def questions(count: int = _QUESTIONS, seed: int = 2) -> list[str]:
    """Questions of eight words, or of sixteen characters."""
    writer = Writer(seed)
    return [writer.text(n % 2 == 1, 8) for n in range(count)]


def where(readable: int = ACCESS_IDS) -> Filter:
    """Everything that is readable, now."""
    return Filter(TENANT, frozenset(range(readable)), AsOf(1_000, 1_000))


def vectors(count: int, seed: int = 3, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """Seeded rows of length 1."""
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


async def lexical(count: int, folder: Path) -> Times:
    """Write passages a version at a time, then search with all access ids readable."""
    async with NumpyLexical(folder, terms, "bench") as index:
        given = list(passages(count))
        begun = time.perf_counter()
        for version in given:
            await index.upsert(TENANT, version)
        await index.settle(1)
        written_s = time.perf_counter() - begun
        asked = [query_terms(question) for question in questions()]
        found = []
        for each in asked:
            begun = time.perf_counter()
            await index.search(each, where(), 100)
            found.append((time.perf_counter() - begun) * 1_000)
    return _times(found, count / written_s)


async def dense(count: int, uri: str) -> Times:
    """Write passages, 500 at a time, then search with all access ids readable."""
    asked, rows = vectors(_QUESTIONS, 4), vectors(count)
    prefix = f"bench_{uuid.uuid4().hex[:8]}"
    async with MilvusVectors(uri, "", prefix, identity="bench", dimension=DIMENSION, timeout_s=60, search_timeout_s=60) as index:
        begun = time.perf_counter()
        given = [chunk for version in passages(count) for chunk in version]
        made_s = time.perf_counter() - begun
        for first in range(0, count, _BATCH):
            await index.upsert(TENANT, given[first : first + _BATCH], rows[first : first + _BATCH])
        written_s = time.perf_counter() - begun - made_s
        found = []
        for row in asked[:_QUESTIONS]:
            begun = time.perf_counter()
            await index.search(row, where(), 100)
            found.append((time.perf_counter() - begun) * 1_000)
    return _times(found, count / written_s)


def resident_mib() -> float:
    """Of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1_024


def _times(found: Sequence[float], passages_per_s: float) -> Times:
    return Times(float(np.percentile(found, 50)), float(np.percentile(found, 99)), passages_per_s)


async def _main() -> None:
    for count in map(int, sys.argv[1:] or ("10000", "100000")):
        with tempfile.TemporaryDirectory() as folder:
            before = resident_mib()
            print(count, await lexical(count, Path(folder)), f"{resident_mib() - before:.0f} MiB")


if __name__ == "__main__":
    asyncio.run(_main())
