"""Passages of one tenant and access id as sorted arrays: what is known of each passage, and where each term stands. Immutable.

A term is 64 bits of its BLAKE2b digest, of which the lowest bit tells the field: body or headings. (Two of a million terms share a
digest about once in thirty million indexes.) A posting is one 32-bit number, ``row << 8 | times``: a term counts 255 times at most.
Surprising: what neighbours say is not stored. They are the rows beside, so a search reads it there; stored, it was four fifths of all.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.domain.document import AsOf
from rag.domain.ranking import IndexedChunk

BODY, CONTEXT, HEADINGS = 0, 1, 2
MOST_TIMES = 255
_TERMS_KNOWN = 1 << 17

Keys = NDArray[np.uint64]


def _name() -> str:
    return uuid.uuid4().hex


@lru_cache(maxsize=_TERMS_KNOWN)
def key(term: str) -> int:
    """Return a term's number in the body; one more is the same term in headings."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") & ~1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Columns of int64, one place a passage: (n,)."""

    chunk_id: NDArray[np.int64]
    version_id: NDArray[np.int64]
    from_seq: NDArray[np.int64]
    to_seq: NDArray[np.int64]
    valid_from_us: NDArray[np.int64]
    valid_to_us: NDArray[np.int64]
    name: str = field(default_factory=_name, kw_only=True)
    _widest: tuple[int, int, int, int] = field(init=False)
    _versions: tuple[int, int] = field(init=False)
    _chunks: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Keep the times at which all are there, and between which ids they are: most changes are of none of these."""
        times = (self.from_seq.max(), self.to_seq.min(), self.valid_from_us.max(), self.valid_to_us.min()) if len(self) else (0, 0, 0, 0)
        object.__setattr__(self, "_widest", tuple(map(int, times)))
        object.__setattr__(self, "_versions", _range(self.version_id))
        object.__setattr__(self, "_chunks", _range(self.chunk_id))

    def __len__(self) -> int:
        return len(self.chunk_id)

    def of_versions(self, ids: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which passages are of these versions, which are sorted; None when none is."""
        return _among(self.version_id, self._versions, ids)

    def of_chunks(self, ids: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which passages are these, whose ids are sorted; None when none is."""
        return _among(self.chunk_id, self._chunks, ids)

    def columns(self) -> list[NDArray[np.int64]]:
        """Return all columns, in order."""
        return [self.chunk_id, self.version_id, self.from_seq, self.to_seq, self.valid_from_us, self.valid_to_us]

    def all_seen_at(self, as_of: AsOf) -> bool:
        """Whether all passages are there at both times: most often they are."""
        begun, ends, valid, invalid = self._widest
        return begun <= as_of.known_at_seq < ends and valid <= as_of.valid_at_us < invalid

    def seen_at(self, as_of: AsOf) -> NDArray[np.bool_]:
        """Return which passages are there at both times."""
        known, valid = as_of.known_at_seq, as_of.valid_at_us
        return (self.from_seq <= known) & (known < self.to_seq) & (self.valid_from_us <= valid) & (valid < self.valid_to_us)

    def retired(self, version_id: int, to_seq: int) -> Rows:
        """Return these with another end of a version."""
        ends = np.where(self.version_id == version_id, np.int64(to_seq), self.to_seq)
        return Rows(
            self.chunk_id,
            self.version_id,
            from_seq=self.from_seq,
            to_seq=ends,
            valid_from_us=self.valid_from_us,
            valid_to_us=self.valid_to_us,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """Where terms stand: ``terms`` (m,) sorted, ``starts`` (m + 1,) into ``places`` (p,).

    ``lengths`` (3, n): terms of the body, of the whole context, of the headings in it. ``beside`` (2, n): how many rows just before and
    just after are neighbours, two at most.
    """

    terms: Keys
    starts: NDArray[np.uint32]
    places: NDArray[np.uint32]
    lengths: NDArray[np.int32]
    beside: NDArray[np.uint8]
    name: str = field(default_factory=_name, kw_only=True)

    def arrays(self) -> list[NDArray[np.generic]]:
        """Return all arrays, in order."""
        return [self.terms, self.starts, self.places, self.lengths, self.beside]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Passages and their terms."""

    rows: Rows
    postings: Postings

    def __len__(self) -> int:
        return len(self.rows)

    def retired(self, version_id: int, to_seq: int) -> Segment:
        """Return this with another end of a version; itself when it has none of it."""
        there = self.rows.of_versions(np.array([version_id])) is not None
        return Segment(self.rows.retired(version_id, to_seq), self.postings) if there else self

    def without(self, gone: NDArray[np.bool_] | None) -> Segment | None:
        """Return this without some passages: nothing of them is left. None when nothing at all is left, itself when all is."""
        if gone is None:
            return self
        if gone.all():
            return None
        kept = ~gone
        place = self.postings.places
        stays = kept[place >> 8]
        renumbered = (np.cumsum(kept) - 1).astype(np.uint32)
        left = place[stays]
        terms = np.repeat(self.postings.terms, np.diff(self.postings.starts))[stays]
        rows = Rows(*(column[kept] for column in self.rows.columns()))
        lengths, beside = self.postings.lengths[:, kept], _still_beside(self.postings.beside, kept)[:, kept]
        return Segment(rows, _grouped(terms, renumbered[left >> 8] << 8 | left & 255, lengths, beside))


def _range(ids: NDArray[np.int64]) -> tuple[int, int]:
    """Return the least and the greatest."""
    return (int(ids.min()), int(ids.max())) if len(ids) else (0, -1)


def _among(column: NDArray[np.int64], between: tuple[int, int], ids: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Return which of a column are among sorted ids; None when none is."""
    least, greatest = between
    some = ids[np.searchsorted(ids, least) : np.searchsorted(ids, greatest, "right")]
    if not len(some):
        return None
    found = np.isin(column, some)
    return found if found.any() else None


def build(chunks: Sequence[IndexedChunk], bodies: Sequence[Keys], headings: Sequence[Keys]) -> Segment:
    """Return a segment of passages with the numbers of their terms, as ``key`` gives them.

    Passages of one version that follow one another are neighbours.
    """
    each = [*bodies, *(terms | np.uint64(CONTEXT) for terms in headings)]
    sizes = np.array([len(terms) for terms in each], np.int32)
    terms = np.concatenate(each)
    row = np.repeat(np.tile(np.arange(len(chunks), dtype=np.uint32), 2), sizes)
    order = np.argsort(terms, kind="stable")  # of one field, rows come in ascending order already
    terms, row = terms[order], row[order]
    first = np.flatnonzero(np.r_[True, (terms[1:] != terms[:-1]) | (row[1:] != row[:-1])][: len(terms)])
    times = np.minimum(np.diff(np.r_[first, len(terms)]), MOST_TIMES).astype(np.uint32)
    columns = np.array(
        [(c.chunk_id, c.version_id, c.from_seq, c.to_seq, c.valid_from_us, c.valid_to_us) for c in chunks], np.int64
    ).reshape(-1, 6)
    rows = Rows(*(np.ascontiguousarray(column) for column in columns.T))
    lengths = np.zeros((3, len(chunks)), np.int32)
    lengths[BODY], lengths[HEADINGS] = sizes[: len(chunks)], sizes[len(chunks) :]
    return Segment(rows, _grouped(terms[first], row[first] << 8 | times, lengths, _beside(rows.version_id)))


def merge(segments: Sequence[Segment]) -> Segment:
    """Return one segment of several, their passages in order; nobody gets a neighbour by it."""
    firsts = np.cumsum([0, *(len(segment) for segment in segments)])
    each = [segment.postings for segment in segments]
    terms = np.concatenate([np.repeat(p.terms, np.diff(p.starts)) for p in each])
    places = np.concatenate([p.places + np.uint32(first << 8) for p, first in zip(each, firsts.tolist(), strict=False)])
    order = np.argsort(terms, kind="stable")
    rows = Rows(*(np.concatenate(columns) for columns in zip(*(s.rows.columns() for s in segments), strict=True)))
    lengths, beside = np.concatenate([p.lengths for p in each], axis=1), np.concatenate([p.beside for p in each], axis=1)
    return Segment(rows, _grouped(terms[order], places[order], lengths, beside))


def _grouped(terms: Keys, places: NDArray[np.uint32], lengths: NDArray[np.int32], beside: NDArray[np.uint8]) -> Postings:
    first = np.flatnonzero(np.r_[True, terms[1:] != terms[:-1]][: len(terms)])
    lengths = lengths.copy()
    lengths[CONTEXT] = lengths[HEADINGS]
    for step, near in steps(beside):
        at = np.flatnonzero(near)
        lengths[CONTEXT, at] += lengths[BODY, at + step]
    return Postings(terms[first], np.r_[first, len(terms)].astype(np.uint32), places, lengths, beside)


def steps(beside: NDArray[np.uint8]) -> list[tuple[int, NDArray[np.bool_]]]:
    """Return where neighbours stand: for each step, which rows have one there."""
    before, after = beside
    return [(-2, before > 1), (-1, before > 0), (1, after > 0), (2, after > 1)]


def _beside(version_id: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Rows of one version that follow one another are neighbours."""
    same = np.r_[False, version_id[1:] == version_id[:-1], False].astype(np.uint8)  # (n + 1,): with the row before
    two = np.r_[0, same[1:] * same[:-1]].astype(np.uint8)
    return np.stack([same[:-1] + two[:-1], same[1:] + np.r_[two[2:], 0].astype(np.uint8)])[:, : len(version_id)]


def _still_beside(beside: NDArray[np.uint8], kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Neighbours that were taken out are none any more, nor is who stood behind them."""
    stay = np.r_[False, False, kept, False, False].astype(np.uint8)
    before, after = stay[1:-3], stay[3:-1]
    return np.stack([np.minimum(beside[0], before + before * stay[:-4]), np.minimum(beside[1], after + after * stay[4:])])
