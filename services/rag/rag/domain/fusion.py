"""Two legs become one ranking: convex combination of min-max scores, weight by language.

Min-max convex fusion beat reciprocal ranks on every set tried. Scores of a leg are comparable only within one question, so each leg is
stretched to [0, 1] over its own candidates; what a leg did not find counts 0 there. Ties go by chunk_id, so that an index made anew ranks
equally.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.domain.ranking import Hit

HIGHEST_WEIGHT = 0.7
"""Of the dense leg, and only where it alone beat every mixture; .5 otherwise."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate: its score, and its ranks in the legs from 1 (0: not found there)."""

    chunk_id: int
    score: float
    lexical_rank: int = 0
    dense_rank: int = 0


def stretched(hits: Sequence[Hit]) -> dict[int, float]:
    """Return scores in [0, 1] by chunk_id; a leg of one candidate, or of equal ones, gives 1."""
    if not hits:
        return {}
    scores = [hit.score for hit in hits]
    low, high = min(scores), max(scores)
    if high <= low:
        return {hit.chunk_id: 1.0 for hit in hits}
    return {hit.chunk_id: (hit.score - low) / (high - low) for hit in hits}


def fuse(lexical: Sequence[Hit], dense: Sequence[Hit], weight: float) -> list[Ranked]:
    """Return the candidates of both legs, best first. weight: the dense leg's share, 0 to 1; both legs come best first."""
    first, second = stretched(lexical), stretched(dense)
    if not dense:
        weight = 0.0
    if not lexical:
        weight = 1.0
    ranks, dense_ranks = _ranks(lexical), _ranks(dense)
    found = [
        Ranked(
            chunk_id,
            (1 - weight) * first.get(chunk_id, 0.0) + weight * second.get(chunk_id, 0.0),
            ranks.get(chunk_id, 0),
            dense_ranks.get(chunk_id, 0),
        )
        for chunk_id in first.keys() | second.keys()
    ]
    return best_first(found)


def best_first(found: Iterable[Ranked]) -> list[Ranked]:
    """Return them in order of score; equal ones by chunk_id."""
    return sorted(found, key=lambda ranked: (-ranked.score, ranked.chunk_id))


def union(*legs: Sequence[Hit]) -> list[Hit]:
    """Join what one leg found in several searches of the same question, best first, each passage once."""
    best: dict[int, float] = {}
    for hits in legs:
        for hit in hits:
            best[hit.chunk_id] = max(hit.score, best.get(hit.chunk_id, hit.score))
    return [Hit(chunk_id, score) for chunk_id, score in sorted(best.items(), key=lambda each: (-each[1], each[0]))]


def _ranks(hits: Sequence[Hit]) -> Mapping[int, int]:
    return {hit.chunk_id: rank for rank, hit in enumerate(hits, 1)}
