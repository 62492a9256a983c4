"""BM25 over many segments, with the statistics of exactly the passages that may be seen: nothing else moves a rank.

Counts, average lengths and scores come from the same arrays in one pass, so the order is that of a single index which holds the seen
passages alone, to the last bit: a passage's terms are added up in the same order however passages are spread over segments.
(Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; the idf is Lucene's, never negative.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.adapters.numpy_lexical.segment import BODY, CONTEXT, HEADINGS, MOST_TIMES, Keys, Segment, key, steps
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
        mask = np.ones(sizes.sum(), bool)
        for segment, first in zip(segments, (np.cumsum(sizes) - sizes).tolist(), strict=True):
            if not segment.rows.all_seen_at(as_of):
                mask[first : first + len(segment)] = segment.rows.seen_at(as_of)
        passages = int(np.count_nonzero(mask))
        return cls(segments, np.cumsum(sizes) - sizes, None if passages == len(mask) else mask, passages)

    def find(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
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
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
        places = np.concatenate(parts)
        wanted = np.repeat(np.array(which, np.int64), count)
        rows = (places >> 8).astype(np.int64) + np.repeat(np.array(first, np.int64), count)
        if self.mask is not None:
            kept = self.mask[rows]
            places, wanted, rows = places[kept], wanted[kept], rows[kept]
        return wanted, rows, (places & np.uint32(MOST_TIMES)).astype(np.int64)


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
    if not seen.passages:
        return []
    keys = np.array(sorted(wanted), np.uint64)
    scores = _scores(seen, keys, [wanted[int(each)] for each in keys], context_weight)
    if versions is not None:
        scores[~np.isin(np.concatenate([s.rows.version_id for s in segments]), np.fromiter(versions, np.int64, len(versions)))] = 0
    return _ranked(scores, np.concatenate([s.rows.chunk_id for s in segments]), limit)


def _scores(seen: _Seen, keys: Keys, weights: Sequence[float], context_weight: float) -> NDArray[np.float64]:
    """Return each row's score (n,). A term after the other, its body before its context: sums don't depend on how rows are spread."""
    lengths = np.concatenate([segment.postings.lengths for segment in seen.segments], axis=1)[:HEADINGS]
    near = steps(np.concatenate([*(segment.postings.beside for segment in seen.segments), np.zeros((2, 2), np.uint8)], axis=1))
    counted = lengths if seen.mask is None else lengths[:, seen.mask]
    average = np.maximum(counted.sum(axis=1, keepdims=True, dtype=np.int64) / seen.passages, 1e-9)
    body_norm, context_norm = K1 * (1 - B + B * lengths / average)
    scores = np.zeros(lengths.shape[1])
    around = np.zeros(lengths.shape[1], np.int64)
    found = _by_key(seen.find(np.stack([keys + np.uint64(BODY), keys + np.uint64(CONTEXT)], axis=1).ravel()), 2 * len(keys))
    for weight, (rows, times), (headed, in_headings) in zip(weights, found[::2], found[1::2], strict=True):
        if len(rows):
            scores[rows] += weight * _idf(seen.passages, len(rows)) * times / (times + body_norm[rows])
        for step, has in near:
            beside = rows - step  # before the first row stands the last one, which has none after it
            there = has[beside]
            around[beside[there]] += times[there]
        around[headed] += in_headings
        with_it = np.flatnonzero(around)
        said = around[with_it]
        around[with_it] = 0
        if seen.mask is not None:
            with_it, said = with_it[seen.mask[with_it]], said[seen.mask[with_it]]
        if len(with_it):
            gained = weight * context_weight * _idf(seen.passages, len(with_it))
            scores[with_it] += gained * said / (said + context_norm[with_it])
    return scores


def _idf(passages: int, frequency: int) -> float:
    return (K1 + 1) * math.log1p((passages - frequency + 0.5) / (frequency + 0.5))


def _by_key(
    found: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], count: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return rows and times of each key."""
    which, rows, times = found
    order = np.argsort(which.astype(np.int16), kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=count))[:-1]
    return list(zip(np.split(rows[order], ends), np.split(times[order], ends), strict=True))


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
