"""The two indexes. They are derived: what they lack is made anew out of the ledger, and every hit is looked up in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.domain.ranking import Filter, Hit, IndexedChunk, TermStatistics


class Vectors(Protocol):
    """The dense index: vectors and scalars, no text."""

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk], vectors: NDArray[np.float32]) -> None:
        """Write passages whole; the same chunk_id replaces. vectors: (n, dimension) float32, in the order of chunks."""
        ...

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version's passages."""
        ...

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Take passages out, physically when this returns."""
        ...

    async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
        """Return the nearest passages (cosine), best first; ties by chunk_id."""
        ...

    async def missing(self, tenant: str, chunks: Sequence[IndexedChunk]) -> list[int]:
        """Return which of these passages are not there, or are there with another access or time: what has to be encoded."""
        ...

    async def position(self) -> int:
        """Sequence of the ledger up to which everything is in; 0 when nothing is, as when the store lost its data."""
        ...

    async def settle(self, seq: int) -> None:
        """Say that everything up to this sequence is in."""
        ...


class Lexical(Protocol):
    """The lexical index: one for each tenant and access id, of this process alone."""

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk]) -> None:
        """Write passages whole; the same chunk_id replaces. Found once this returns."""
        ...

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version's passages."""
        ...

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Take passages out, physically when this returns."""
        ...

    async def search(self, terms: Mapping[str, float], where: Filter, limit: int) -> list[Hit]:
        """Return the best passages by BM25 over the readable set alone, best first; ties by chunk_id. terms: weight of each."""
        ...

    async def statistics(self, terms: Collection[str], where: Filter) -> TermStatistics:
        """Return counts over the readable set alone."""
        ...

    @property
    def position(self) -> int:
        """Sequence of the ledger up to which this index is complete; 0 for an empty one."""
        ...

    async def settle(self, seq: int) -> None:
        """Say that everything up to this sequence is in."""
        ...
