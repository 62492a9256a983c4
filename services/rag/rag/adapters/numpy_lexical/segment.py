"""Passages of one tenant and access id as sorted arrays: what is known of each passage, and where each term stands. Immutable.

A term is 64 bits of its BLAKE2b digest, of which the lowest bit tells the field: body or context. (Two of a million terms share a
digest about once in thirty million indexes.) A posting is one 32-bit number, ``row << 8 | times``: a term counts 255 times at most.
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

BODY, CONTEXT = 0, 1
MOST_TIMES = 255
_TERMS_KNOWN = 1 << 17

Keys = NDArray[np.uint64]


def _name() -> str:
    return uuid.uuid4().hex


@lru_cache(maxsize=_TERMS_KNOWN)
def key(term: str) -> int:
    """Return a term's number in the body; one more is the same term in the context."""
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

    def __len__(self) -> int:
        return len(self.chunk_id)

    def columns(self) -> list[NDArray[np.int64]]:
        """Return all columns, in order."""
        return [self.chunk_id, self.version_id, self.from_seq, self.to_seq, self.valid_from_us, self.valid_to_us]

    def seen_at(self, as_of: AsOf) -> NDArray[np.bool_]:
        """Return which passages are there at both times."""
        known, valid = as_of.known_at_seq, as_of.valid_at_us
        return (self.from_seq <= known) & (known < self.to_seq) & (self.valid_from_us <= valid) & (valid < self.valid_to_us)

    def retired(self, version_id: int, to_seq: int) -> Rows:
        """Return these with another end of a version."""
        ends = np.where(self.version_id == version_id, np.int64(to_seq), self.to_seq)
        return Rows(self.chunk_id, self.version_id, self.from_seq, ends, self.valid_from_us, self.valid_to_us)


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """Where terms stand: ``terms`` (m,) sorted, ``starts`` (m + 1,) into ``places`` (p,); ``lengths`` (2, n): terms of each field."""

    terms: Keys
    starts: NDArray[np.int64]
    places: NDArray[np.uint32]
    lengths: NDArray[np.int32]
    name: str = field(default_factory=_name, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Passages and their terms."""

    rows: Rows
    postings: Postings

    def __len__(self) -> int:
        return len(self.rows)

    def retired(self, version_id: int, to_seq: int) -> Segment:
        """Return this with another end of a version; itself when it has none of it."""
        return Segment(self.rows.retired(version_id, to_seq), self.postings) if (self.rows.version_id == version_id).any() else self

    def without(self, gone: NDArray[np.bool_]) -> Segment | None:
        """Return this without some passages: nothing of them is left. None when nothing at all is left, itself when all is."""
        if not gone.any():
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
        return Segment(rows, _grouped(terms, renumbered[left >> 8] << 8 | left & 255, self.postings.lengths[:, kept]))


def build(chunks: Sequence[IndexedChunk], bodies: Sequence[Keys], contexts: Sequence[Keys]) -> Segment:
    """Return a segment of passages with the numbers of their terms; those of contexts as ``key`` gives them."""
    each = [*bodies, *(context | np.uint64(CONTEXT) for context in contexts)]
    lengths = np.array([len(terms) for terms in each], np.int32).reshape(2, len(chunks))
    terms = np.concatenate(each)
    row = np.repeat(np.tile(np.arange(len(chunks), dtype=np.uint32), 2), lengths.ravel())
    order = np.argsort(terms, kind="stable")  # of one field, rows come in ascending order already
    terms, row = terms[order], row[order]
    first = np.flatnonzero(np.r_[True, (terms[1:] != terms[:-1]) | (row[1:] != row[:-1])][: len(terms)])
    times = np.minimum(np.diff(np.r_[first, len(terms)]), MOST_TIMES).astype(np.uint32)
    columns = np.array(
        [(c.chunk_id, c.version_id, c.from_seq, c.to_seq, c.valid_from_us, c.valid_to_us) for c in chunks], np.int64
    ).reshape(-1, 6)
    return Segment(Rows(*(np.ascontiguousarray(c) for c in columns.T)), _grouped(terms[first], row[first] << 8 | times, lengths))


def merge(segments: Sequence[Segment]) -> Segment:
    """Return one segment of several, their passages in order."""
    firsts = np.cumsum([0, *(len(segment) for segment in segments)])
    terms = np.concatenate([np.repeat(s.postings.terms, np.diff(s.postings.starts)) for s in segments])
    places = np.concatenate([s.postings.places + np.uint32(int(first) << 8) for s, first in zip(segments, firsts.tolist(), strict=False)])
    order = np.argsort(terms, kind="stable")
    rows = Rows(*(np.concatenate(columns) for columns in zip(*(s.rows.columns() for s in segments), strict=True)))
    return Segment(rows, _grouped(terms[order], places[order], np.concatenate([s.postings.lengths for s in segments], axis=1)))


def _grouped(terms: Keys, places: NDArray[np.uint32], lengths: NDArray[np.int32]) -> Postings:
    first = np.flatnonzero(np.r_[True, terms[1:] != terms[:-1]][: len(terms)])
    return Postings(terms[first], np.r_[first, len(terms)].astype(np.int64), places, lengths)
