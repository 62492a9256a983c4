"""What the legs of a search exchange. Scores never leave the service: callers see ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.domain.document import AsOf


@dataclass(frozen=True, slots=True)
class Filter:
    """What every leg must hold to: one tenant, these access ids and no others, these times; `versions` narrows further when not None."""

    tenant: str
    access_ids: frozenset[int]
    as_of: AsOf
    versions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found by one leg; greater is better."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """What an index is given of a passage. ``context``: headings and the table's header, in pieces, for the low-weight field.

    Two neighbours each side belong to it as well: passages of the same version and access id that are handed over beside it.
    """

    chunk_id: int
    version_id: int
    access_id: int
    text: str
    context: tuple[str, ...]
    from_seq: int
    to_seq: int
    valid_from_us: int
    valid_to_us: int


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """Document frequencies over the readable set: ``documents`` passages in all, ``frequency`` of each term asked for."""

    documents: int
    frequency: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a passage stands where it stands: its rank in each leg (0: not found there), and what moved it."""

    lexical_rank: int
    dense_rank: int
    scope: Sequence[str] = ()
    expanded: Sequence[str] = ()
