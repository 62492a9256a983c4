"""What stands beside passages that were found, and why it is added: neighbours, where a table begins, endorsements of the document.

Neighbours and beginnings of tables are of the same version and access id, else what stands beside a passage would tell of what may not be
read. An endorsement is a document of its own: its passages are shown by their own right or not at all. Records have no neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rag.domain.answering.clauses import canonical, replaced
from rag.domain.document import Chunk, Version

NEAR = 1
"""Passages before and after one that was found."""
BACK = 40
"""How far before it the beginning of its table is looked for: its header stands beside it anyway."""
ENDORSING = 2
"""Passages of one endorsement."""
MOST = 200
"""Passages that are shown at once, found and added: as many as the audit record of it names."""


class Why(StrEnum):
    """Why a passage was added."""

    TABLE_HEADER = "TABLE_HEADER"
    NEIGHBOUR = "NEIGHBOUR"
    ENDORSEMENT = "ENDORSEMENT"


@dataclass(frozen=True, slots=True)
class Added:
    """A passage that was added, and all reasons for it."""

    chunk: Chunk
    version: Version
    why: tuple[Why, ...]


def reach(chunk: Chunk) -> tuple[int, int]:
    """Return how many ordinals before and after a passage may hold something to add; (0, 0): nothing does."""
    if chunk.passage.record_id:
        return 0, 0
    return (BACK if chunk.passage.table_header else NEAR), NEAR


def beside(chunk: Chunk, around: Sequence[Chunk]) -> list[tuple[Chunk, Why]]:
    """Return what is added to a passage of what stands around it: where its table begins, then its neighbours, in order."""
    own = [each for each in around if (each.version_id, each.access_id) == (chunk.version_id, chunk.access_id)]
    own = [each for each in own if each.chunk_id != chunk.chunk_id and not each.passage.record_id]
    near = [(each, Why.NEIGHBOUR) for each in own if abs(each.passage.ordinal - chunk.passage.ordinal) <= NEAR]
    begins = _beginning(chunk, own)
    return [*([(begins, Why.TABLE_HEADER)] if begins is not None else []), *near]


def _beginning(chunk: Chunk, own: Sequence[Chunk]) -> Chunk | None:
    """Return the passage where a table begins that goes on in this one; None when it is out of reach, or may not be read."""
    header = chunk.passage.table_header
    if not header:
        return None
    above = (each for each in own if each.passage.ordinal < chunk.passage.ordinal and not each.passage.table_header)
    begins = max(above, key=lambda each: each.passage.ordinal, default=None)
    return begins if begins is not None and begins.passage.text.startswith(header) else None


def endorsing(chunk: Chunk, passages: Sequence[Chunk]) -> list[Chunk]:
    """Return which passages of an endorsement are added to one of its base: those that change its clause, else how it begins."""
    clause = canonical(chunk.passage.clause) if chunk.passage.clause else ""
    ordered = sorted(passages, key=lambda each: each.passage.ordinal)
    changing = [each for each in ordered if clause and clause in replaced(each.passage.text)]
    return (changing or ordered[:1])[:ENDORSING]


def joined(found: Collection[int], offered: Iterable[tuple[Chunk, Version, Why]]) -> list[Added]:
    """Return what is added to passages that were found, in the order in which it was offered, each once with all its reasons.

    No more than one answer holds.
    """
    kept: dict[int, Added] = {}
    for chunk, version, why in offered:
        if chunk.chunk_id in found:
            continue
        before = kept.get(chunk.chunk_id, Added(chunk, version, ()))
        kept[chunk.chunk_id] = Added(chunk, version, before.why if why in before.why else (*before.why, why))
    return list(kept.values())[: max(MOST - len(found), 0)]
