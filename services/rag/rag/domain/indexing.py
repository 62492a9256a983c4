"""What indexes are given of a version's passages.

A passage's context is its headings, its table's header, and the two passages of its access id on each side, which an index takes from
what is handed over beside it: what a reader may not read has no part in how what may be read is found, not even by lying between.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.domain.document import Chunk, Version
from rag.domain.ranking import IndexedChunk


def indexed_passages(version: Version, chunks: Sequence[Chunk]) -> list[IndexedChunk]:
    """Return a version's passages as indexes take them, in order."""
    return [
        IndexedChunk(
            chunk_id=chunk.chunk_id,
            version_id=version.version_id,
            access_id=chunk.access_id,
            text=chunk.passage.text,
            context=(*chunk.passage.heading_path, *([chunk.passage.table_header] if chunk.passage.table_header else [])),
            from_seq=version.from_seq,
            to_seq=version.to_seq,
            valid_from_us=version.submission.valid_from_us,
            valid_to_us=version.submission.valid_to_us,
        )
        for chunk in chunks
    ]
