"""Passages of invented words for the suites of both legs: seeded, half of them Chinese."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from rag.domain.document import FOREVER, AsOf
from rag.domain.ranking import Filter, IndexedChunk

TENANT = "bank-a"
NOW = AsOf(1_000, 1_000)

_WORDS = [f"w{n}" for n in range(400)]
_HAN = [chr(0x4E00 + n) for n in range(60)]


def words(text: str) -> list[str]:
    """Terms as the suites need them: words, and pairs of Chinese characters."""
    found: list[str] = []
    for word in text.split():
        found += [word] if word.isascii() else [a + b for a, b in itertools.pairwise(word)]
    return found


def sentence(seed: random.Random, longest: int = 60) -> str:
    """A few words, the first of the vocabulary far more often than the last; every other sentence is Chinese."""
    length = seed.randint(3, longest)
    if seed.random() < 0.5:
        return "".join(_HAN[min(int(seed.expovariate(0.08)), len(_HAN) - 1)] for _ in range(length))
    return " ".join(_WORDS[min(int(seed.expovariate(0.02)), len(_WORDS) - 1)] for _ in range(length))


def passage(chunk_id: int, access_id: int, text: str, **other: object) -> IndexedChunk:
    """One passage, there for ever unless told otherwise."""
    usual: dict[str, object] = {"version_id": chunk_id // 10, "context": (), "from_seq": 1, "to_seq": FOREVER}
    usual |= {"valid_from_us": 0, "valid_to_us": FOREVER}
    return IndexedChunk(chunk_id=chunk_id, access_id=access_id, text=text, **usual | other)  # type: ignore[arg-type]


def passages(count: int, access_ids: list[int], seed: int, first: int = 0) -> list[IndexedChunk]:
    """Passages under headings, versions of ten, each of one access id."""
    source = random.Random(seed)
    return [
        passage(first + n, access_ids[n // 10 % len(access_ids)], sentence(source), context=(sentence(source, 6), "chapter"))
        for n in range(count)
    ]


def questions(count: int, seed: int) -> Iterator[dict[str, float]]:
    """Weighted terms."""
    source = random.Random(seed)
    for _ in range(count):
        yield {term: 1.0 + source.random() for term in words(sentence(source, 12))}


def where(*access_ids: int, tenant: str = TENANT, as_of: AsOf = NOW, versions: frozenset[int] | None = None) -> Filter:
    """A filter."""
    return Filter(tenant, frozenset(access_ids), as_of, versions)
