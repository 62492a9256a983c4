"""What indexes are given of a version's passages.

A passage's context is its headings, its table's header and two neighbours on each side, counted among passages of the same access id alone:
what a reader may not read has no part in how what may be read is found, not even by lying between.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.domain.document import Chunk, Version
from rag.domain.ranking import IndexedChunk

NEIGHBOURS = 2


def indexed_passages(version: Version, chunks: Sequence[Chunk]) -> list[IndexedChunk]:
    """Return a version's passages as indexes take them, in order."""
    beside: dict[int, list[Chunk]] = {}
    for chunk in chunks:
        beside.setdefault(chunk.access_id, []).append(chunk)
    made = {}
    for group in beside.values():
        for n, chunk in enumerate(group):
            around = [*group[max(0, n - NEIGHBOURS) : n], *group[n + 1 : n + 1 + NEIGHBOURS]]
            own = [*chunk.passage.heading_path, *([chunk.passage.table_header] if chunk.passage.table_header else [])]
            made[chunk.chunk_id] = IndexedChunk(
                chunk_id=chunk.chunk_id,
                version_id=version.version_id,
                access_id=chunk.access_id,
                text=chunk.passage.text,
                context=(*own, *(neighbour.passage.text for neighbour in around)),
                from_seq=version.from_seq,
                to_seq=version.to_seq,
                valid_from_us=version.submission.valid_from_us,
                valid_to_us=version.submission.valid_to_us,
            )
    return [made[chunk.chunk_id] for chunk in chunks]
