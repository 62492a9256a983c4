"""BM25 over many segments, with the statistics of exactly the passages that may be seen: nothing else moves a rank.

Counts, average lengths and scores come from the same arrays in one pass, so the order is that of a single index which holds the seen
passages alone, to the last bit: a passage's terms are added up in the same order however passages are spread over segments.
(Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; the idf is Lucene's, never negative.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.adapters.numpy_lexical.segment import CONTEXT, MOST_TIMES, Keys, Segment, key
from rag.domain.document import AsOf
from rag.domain.ranking import Hit

K1, B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class _Seen:
    """What may be seen of segments laid end to end: ``mask`` (n,), or None for all."""

    segments: Sequence[Segment]
    firsts: NDArray[np.int64]
    mask: NDArray[np.bool_] | None
    passages: int

    @classmethod
    def of(cls, segments: Sequence[Segment], as_of: AsOf) -> _Seen:
        sizes = np.array([len(segment) for segment in segments], np.int64)
        mask = np.concatenate([segment.rows.seen_at(as_of) for segment in segments])
        passages = int(np.count_nonzero(mask))
        return cls(segments, np.cumsum(sizes) - sizes, None if passages == len(mask) else mask, passages)

    def find(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32]]:
        """Return each place of a key: which key, row, how often (p,)."""
        parts, which, first, count = [], [], [], []
        for segment, begin in zip(self.segments, self.firsts.tolist(), strict=True):
            postings = segment.postings
            place = np.searchsorted(postings.terms, keys)
            place[place == len(postings.terms)] = 0
            for j in np.flatnonzero(postings.terms[place] == keys).tolist() if len(postings.terms) else []:
                start, end = postings.starts[place[j]], postings.starts[place[j] + 1]
                parts.append(postings.places[start:end])
                which.append(j)
                first.append(begin)
                count.append(end - start)
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint32)
        places = np.concatenate(parts)
        wanted = np.repeat(np.array(which, np.int64), count)
        rows = (places >> 8).astype(np.int64) + np.repeat(np.array(first, np.int64), count)
        if self.mask is not None:
            kept = self.mask[rows]
            places, wanted, rows = places[kept], wanted[kept], rows[kept]
        return wanted, rows, places & np.uint32(MOST_TIMES)


def best(
    segments: Sequence[Segment],
    terms: Mapping[str, float],
    as_of: AsOf,
    versions: Collection[int] | None,
    limit: int,
    context_weight: float,
) -> list[Hit]:
    """Return the best passages; ``versions`` narrows what is returned, not what is counted. Equal scores by chunk_id."""
    wanted = {key(term): weight for term, weight in terms.items() if weight > 0}
    if not wanted or not segments or limit < 1:
        return []
    seen = _Seen.of(segments, as_of)
    keys = np.array(sorted(each + field for each in wanted for field in (0, 1)), np.uint64)
    which, rows, times = seen.find(keys)
    if not len(rows):
        return []
    weights = np.array([wanted[int(each) & ~1] * (context_weight if int(each) & CONTEXT else 1.0) for each in keys])
    frequency = np.bincount(which, minlength=len(keys))
    weights *= np.log1p((seen.passages - frequency + 0.5) / (frequency + 0.5)) * (K1 + 1)
    lengths = np.concatenate([segment.postings.lengths for segment in segments], axis=1)
    counted = lengths if seen.mask is None else lengths[:, seen.mask]
    average = np.maximum(counted.sum(axis=1, keepdims=True, dtype=np.int64) / seen.passages, 1e-9)
    norm = (K1 * (1 - B + B * lengths / average)).ravel()
    n = lengths.shape[1]
    field = (keys & np.uint64(1)).astype(np.int64) * n
    gained = weights[which] * times / (times + norm[rows + field[which]])
    scores = np.bincount(rows, gained, minlength=n).astype(np.float64, copy=False)
    if versions is not None:
        scores[~np.isin(np.concatenate([s.rows.version_id for s in segments]), np.fromiter(versions, np.int64, len(versions)))] = 0
    return _ranked(scores, np.concatenate([s.rows.chunk_id for s in segments]), limit)


def frequencies(segments: Sequence[Segment], terms: Collection[str], as_of: AsOf) -> tuple[int, dict[str, int]]:
    """Return how many passages are seen, and how many of them have each term in their body."""
    if not segments:
        return 0, dict.fromkeys(terms, 0)
    seen = _Seen.of(segments, as_of)
    keys = np.array(sorted({key(term) for term in terms}), np.uint64)
    found = np.bincount(seen.find(keys)[0], minlength=len(keys))
    counts = dict(zip(keys.tolist(), found.tolist(), strict=True))
    return seen.passages, {term: counts[key(term)] for term in terms}


def _ranked(scores: NDArray[np.float64], chunk_ids: NDArray[np.int64], limit: int) -> list[Hit]:
    found = np.flatnonzero(scores > 0)
    if len(found) > limit:
        worst = np.partition(scores[found], len(found) - limit)[len(found) - limit]
        found = found[scores[found] >= worst]  # all of those that tie for the last place
    order = found[np.lexsort((chunk_ids[found], -scores[found]))][:limit]
    return [Hit(chunk, score) for chunk, score in zip(chunk_ids[order].tolist(), scores[order].tolist(), strict=True)]
