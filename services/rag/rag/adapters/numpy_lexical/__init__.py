"""Lexical indexes in memory, one for each tenant and access id, saved in a folder of this process: behind the port `Lexical`.

Surprising: no search library. What decides is that ranks follow from the readable passages alone, over a hundred indexes at once; a
library's scores come from each index's own statistics (docs/adr/0039). Everything is read from memory; the folder is what a start
begins with, and may be deleted at any time, even while this runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from meshkit.errors import Unavailable

from rag.adapters.numpy_lexical import scoring
from rag.adapters.numpy_lexical.segment import Keys, Segment, build, key, merge
from rag.adapters.numpy_lexical.store import Shards, Store
from rag.domain.ranking import Filter, Hit, IndexedChunk, TermStatistics

CONTEXT_WEIGHT = 0.1
"""A term in headings or neighbours counts a tenth of one in the passage: more did harm on both sets of passages that were measured."""

_PIECES_KNOWN = 1_024
"""A heading stands above many passages."""

_Result = TypeVar("_Result")


class NumpyLexical:
    """Enter it to open its folder. Searches run on threads of their own; changes one at a time, each seen whole or not at all."""

    def __init__(
        self,
        folder: Path,
        terms: Callable[[str], Sequence[str]],
        identity: str,
        *,
        context_weight: float = CONTEXT_WEIGHT,
        threads: int = 2,
    ) -> None:
        """``terms`` makes terms of text; ``identity`` changes with it."""
        self._store = Store(folder, identity)
        self._terms = terms
        self._context_weight = context_weight
        self._shards: Shards = {}
        self._saved: Shards = {}
        self._position = 0
        self._changing = asyncio.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lexical-writer")
        self._readers = ThreadPoolExecutor(threads, thread_name_prefix="lexical")
        self._keys = lru_cache(_PIECES_KNOWN)(self._keys_of)

    async def __aenter__(self) -> Self:
        """Read the folder. Raises FailedPrecondition (INDEX_FOLDER_IN_USE)."""
        self._shards, self._position = await self._on(self._writer, self._store.open)
        self._saved = self._shards
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the threads and let go of the folder; what was not settled comes again from the ledger."""
        async with self._changing:
            self._readers.shutdown(wait=False, cancel_futures=True)
            self._writer.shutdown(wait=True)
            self._store.close()

    @property
    def position(self) -> int:
        """Sequence of the ledger up to which the folder is complete."""
        return self._position

    @property
    def passages(self) -> int:
        """How many passages there are, of all tenants."""
        return sum(len(segment) for segments in self._shards.values() for segment in segments)

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk]) -> None:
        """Write passages whole; the same chunk_id replaces. Found once this returns."""
        if chunks:
            await self._change(lambda: self._upserted(tenant, chunks))

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version's passages."""
        await self._change(lambda: self._each(tenant, lambda segment: segment.retired(version_id, to_seq)))

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Take passages out of memory and of the folder: when this returns, nothing of them is left. Costs little when none is there."""
        gone = np.unique(np.fromiter(version_ids, np.int64, len(version_ids)))

        def work() -> Shards:
            shards = self._each(tenant, lambda segment: segment.without(segment.rows.of_versions(gone)))
            if any(segment.rows.of_versions(gone) is not None for segment in _of(self._saved, tenant)):
                self._keys.cache_clear()
                self._save(shards, self._position)
            return shards

        await self._change(work)

    async def settle(self, seq: int) -> None:
        """Save. A start after this one begins here."""

        def work() -> Shards:
            self._save(self._shards, seq)
            return self._shards

        await self._change(work)

    async def search(self, terms: Mapping[str, float], where: Filter, limit: int) -> list[Hit]:
        """Return the best passages by BM25 over the readable set alone, best first; ties by chunk_id."""
        segments = self._readable(where)
        return await self._on(
            self._readers, lambda: scoring.best(segments, terms, where.as_of, where.versions, limit, self._context_weight)
        )

    async def statistics(self, terms: Collection[str], where: Filter) -> TermStatistics:
        """Return counts over the readable set alone; ``where.versions`` does not narrow it."""
        segments = self._readable(where)
        documents, frequency = await self._on(self._readers, lambda: scoring.frequencies(segments, terms, where.as_of))
        return TermStatistics(documents, frequency)

    def _save(self, shards: Shards, position: int) -> None:
        self._store.save(shards, position)
        self._saved, self._position = shards, position

    def _readable(self, where: Filter) -> list[Segment]:
        shards = self._shards
        return [segment for each in sorted(where.access_ids) for segment in shards.get((where.tenant, each), ())]

    def _upserted(self, tenant: str, chunks: Sequence[IndexedChunk]) -> Shards:
        latest = list({chunk.chunk_id: chunk for chunk in chunks}.values())
        ids = np.unique(np.array([chunk.chunk_id for chunk in latest], np.int64))
        shards = self._each(tenant, lambda segment: segment.without(segment.rows.of_chunks(ids)))
        by_access: dict[int, list[IndexedChunk]] = {}
        for chunk in latest:
            by_access.setdefault(chunk.access_id, []).append(chunk)
        for access_id, some in by_access.items():
            headings = [np.concatenate([self._keys(""), *(self._keys(piece) for piece in chunk.context)]) for chunk in some]
            new = build(some, [self._keys_of(chunk.text) for chunk in some], headings)
            shards[tenant, access_id] = _stacked((*shards.get((tenant, access_id), ()), new))
        return shards

    def _each(self, tenant: str, work: Callable[[Segment], Segment | None]) -> Shards:
        """Return all shards with those of a tenant changed."""
        shards = dict(self._shards)
        for (owner, access_id), segments in self._shards.items():
            if owner == tenant:
                left = tuple(changed for segment in segments if (changed := work(segment)) is not None)
                if left:
                    shards[owner, access_id] = left
                else:
                    del shards[owner, access_id]
        return shards

    def _keys_of(self, text: str) -> Keys:
        found = self._terms(text)
        return np.fromiter(map(key, found), np.uint64, len(found))

    async def _change(self, work: Callable[[], Shards]) -> None:
        def changed() -> None:  # there, because a caller who is cancelled meanwhile leaves memory and folder agreeing
            self._shards = work()

        async with self._changing:
            await self._on(self._writer, changed)

    @staticmethod
    async def _on(threads: ThreadPoolExecutor, work: Callable[[], _Result]) -> _Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except OSError as error:
            raise Unavailable("the folder of lexical indexes can't be written", reason="INDEX_FOLDER_UNAVAILABLE") from error


def _of(shards: Shards, tenant: str) -> Iterator[Segment]:
    return (segment for (owner, _), segments in shards.items() if owner == tenant for segment in segments)


def _stacked(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Join the newest while they are not much smaller than the one before: few segments, and each passage is copied a few times only."""
    while len(segments) > 1 and len(segments[-2]) < 4 * len(segments[-1]):
        segments = (*segments[:-2], merge(segments[-2:]))
    return segments
