"""Vectors in Milvus or Milvus Lite: behind the port `Vectors`.

Scalars are integers and there is no text. The filter stands on every request, and every hit is looked at again: a top-level filter of
`hybrid_search` was seen to be ignored. One process writes (the leader of ingestion), any number read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from meshkit.errors import InvalidArgument
from numpy.typing import NDArray
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from rag.adapters.milvus_vectors.collections import EXACT, EXACT_BELOW, GRAPH, VECTOR, Collections, batches
from rag.adapters.milvus_vectors.filters import SCALARS, among, expression, holds
from rag.adapters.milvus_vectors.link import NOT_FOUND, Link
from rag.domain.ranking import Filter, Hit, IndexedChunk

_MOST_HITS = 16_384  # Milvus's own limit
_OFF = 1e-2  # the inner product stands for the cosine: it need not look at lengths

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class MilvusVectors:
    """Enter it, so that its threads end."""

    def __init__(
        self,
        uri: str,
        token: str,
        prefix: str,
        *,
        identity: str,
        dimension: int,
        timeout_s: float = 5.0,
        search_timeout_s: float | None = None,
        exact_below: int | None = None,
        threads: int = 3,
    ) -> None:
        """``identity`` and ``dimension`` are the encoder's. Raises InvalidArgument (MILVUS_URI_INVALID)."""
        self._timeout_s, self._search_timeout_s = timeout_s, search_timeout_s or timeout_s / 5
        self._link = Link(uri, token, self._search_timeout_s, threads)
        self._collections = Collections(prefix, identity, dimension, timeout_s)
        self._dimension, self._exact_below = dimension, exact_below
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go."""
        await self._link.close()

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk], vectors: NDArray[np.float32]) -> None:
        """Write passages whole; the same chunk_id replaces. vectors: (n, dimension) float32, in the order of chunks."""
        if vectors.shape != (len(chunks), self._dimension):
            raise InvalidArgument(f"{len(chunks)} passages, vectors of shape {vectors.shape}", reason="VECTOR_SHAPE_INVALID")
        if not np.allclose(np.einsum("ij,ij->i", vectors, vectors), 1.0, atol=_OFF):
            raise InvalidArgument("vectors whose length is not 1", reason="VECTOR_LENGTH_INVALID")
        rows = [
            {"chunk_id": chunk.chunk_id, **_scalars(chunk), VECTOR: vector}
            for chunk, vector in zip(chunks, vectors.astype(np.float32, copy=False), strict=True)
        ]

        def work(client: MilvusClient, alias: str) -> None:
            self._collections.ensure(client, tenant)
            self._collections.write(client, alias, rows)
            self._settled(client, alias)

        if rows:
            await self._change(tenant, work)

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version's passages."""

        def work(client: MilvusClient, alias: str) -> None:
            if not self._collections.found(client, alias):
                return
            pages = list(self._collections.rows(client, alias, among("version_id", [version_id]), ["chunk_id"]))
            for page in pages:
                self._collections.write(client, alias, [row | {"to_seq": int(to_seq)} for row in page], partial=True)
            if pages:
                self._settled(client, alias)

        await self._change(tenant, work)

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Take passages out, physically when this returns: what stays is copied, what was is dropped."""

        def work(client: MilvusClient, alias: str) -> None:
            if not version_ids or not self._collections.found(client, alias):
                return
            gone = among("version_id", version_ids)
            if any(True for _ in self._collections.rows(client, alias, gone, ["chunk_id"])):
                index = EXACT if self._collections.is_exact(client, alias) else GRAPH
                self._collections.rewrite(client, alias, f"not ({gone})", index, flush=self._link.lite)
            else:
                self._collections.drop_unused(client, alias)

        await self._change(tenant, work)

    async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
        """Return the nearest passages (cosine), best first; ties by chunk_id."""
        if vector.shape != (self._dimension,):
            raise InvalidArgument(f"a vector of shape {vector.shape}", reason="VECTOR_SHAPE_INVALID")
        if not where.access_ids or (where.versions is not None and not where.versions) or limit < 1:
            return []
        nothing: list[dict[str, Any]] = []

        def work(client: MilvusClient, alias: str) -> list[dict[str, Any]]:
            return self._nearest(client, alias, vector, where, limit)

        rows = await self._read(where.tenant, work, nothing, self._search_timeout_s)
        kept = [Hit(int(row["chunk_id"]), float(row["score"])) for row in rows if holds(where, row)]
        if len(kept) < len(rows):
            log.error("Milvus returned %d rows that the filter excludes", len(rows) - len(kept))
        return sorted(kept, key=lambda hit: (-hit.score, hit.chunk_id))

    async def missing(self, tenant: str, chunks: Sequence[IndexedChunk]) -> list[int]:
        """Return which of these passages are not there, or are there with another access or time: what has to be encoded."""

        def work(client: MilvusClient, alias: str) -> list[int]:
            there: dict[int, dict[str, int]] = {}
            for some in batches([chunk.chunk_id for chunk in chunks]):
                found = client.query(alias, filter=among("chunk_id", some), output_fields=["chunk_id", *SCALARS], timeout=self._timeout_s)
                there |= {int(row["chunk_id"]): {name: int(row[name]) for name in SCALARS} for row in found}
            return [chunk.chunk_id for chunk in chunks if there.get(chunk.chunk_id) != _scalars(chunk)]

        return await self._read(tenant, work, [chunk.chunk_id for chunk in chunks], self._timeout_s) if chunks else []

    async def position(self) -> int:
        """Sequence of the ledger up to which everything is in; 0 when nothing is, as when Milvus lost its data."""
        return await self._link.call(self._collections.position)

    async def settle(self, seq: int) -> None:
        """Say that everything up to this sequence is in."""
        async with self._changing:
            await self._link.call(lambda client: self._collections.settle(client, seq))

    def _nearest(self, client: MilvusClient, alias: str, vector: NDArray[np.float32], where: Filter, limit: int) -> list[dict[str, Any]]:
        found = client.search(
            alias,
            data=[vector.astype(np.float32, copy=False)],
            anns_field=VECTOR,
            filter=expression(where),
            limit=min(limit, _MOST_HITS),
            output_fields=list(SCALARS),
            timeout=self._search_timeout_s,
        )
        return [{**hit["entity"], "chunk_id": hit["chunk_id"], "score": hit["distance"]} for hit in found[0]]

    def _settled(self, client: MilvusClient, alias: str) -> None:
        """Milvus Lite searches what is not in a file sixty times slower; a server's collection is large enough for a graph some time."""
        if self._link.lite:
            client.flush(alias, timeout=self._timeout_s)
        limit = self._exact_below or (None if self._link.lite else EXACT_BELOW)
        if limit is None or int(client.get_collection_stats(alias, timeout=self._timeout_s)["row_count"]) < limit:
            return
        if self._collections.is_exact(client, alias):
            self._collections.rewrite(client, alias, "chunk_id >= 0", GRAPH, flush=self._link.lite)

    async def _read(self, tenant: str, work: Callable[[MilvusClient, str], _Result], nothing: _Result, timeout_s: float) -> _Result:
        """Once more after a collection was dropped under the call, the alias turned."""
        alias = self._collections.alias(tenant)

        def attempt(client: MilvusClient) -> _Result:
            if alias not in self._collections.known and not self._collections.found(client, alias):
                return nothing
            return self._collections.loaded(client, alias, lambda: work(client, alias))

        def attempts(client: MilvusClient) -> _Result:
            try:
                return attempt(client)
            except MilvusException as error:
                if error.code not in NOT_FOUND:
                    raise
                self._collections.known.discard(alias)
                return attempt(client)

        return await self._link.call(attempts, timeout_s)

    async def _change(self, tenant: str, work: Callable[[MilvusClient, str], None]) -> None:
        alias = self._collections.alias(tenant)
        async with self._changing:
            await self._link.call(lambda client: self._collections.loaded(client, alias, lambda: work(client, alias)))


def _scalars(chunk: IndexedChunk) -> dict[str, int]:
    return {name: int(getattr(chunk, name)) for name in SCALARS}
