"""nDCG@10, R@5, R@20, MRR@10 with intervals: bootstrap over queries, paired where two rankings are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAMES = ("ndcg10", "r5", "r20", "mrr10")
_RESAMPLES, _SEED = 2_000, 14


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one ranking by query: (queries, 4) float64, in the order of ``NAMES``."""

    by_query: NDArray[np.float64]

    def figures(self) -> dict[str, object]:
        """Return the means, and the 95 % interval of each."""
        low, high = _interval(self.by_query)
        means = self.by_query.mean(axis=0) if len(self.by_query) else np.zeros(len(NAMES))
        intervals = {name: [round(float(low[place]), 4), round(float(high[place]), 4)] for place, name in enumerate(NAMES)}
        return {**{name: round(float(means[place]), 4) for place, name in enumerate(NAMES)}, "ci95": intervals}

    def gain(self, other: Scores) -> dict[str, list[float]]:
        """Return what this ranking has over another of the same queries: mean, and its paired 95 % interval."""
        difference = self.by_query - other.by_query
        low, high = _interval(difference)
        means = difference.mean(axis=0) if len(difference) else np.zeros(len(NAMES))
        return {name: [round(float(each[place]), 4) for each in (means, low, high)] for place, name in enumerate(NAMES)}


def scored(rankings: Sequence[Sequence[str]], relevant: Sequence[Mapping[str, int]]) -> Scores:
    """Score rankings of record ids, best first. A query without a relevant record is not counted."""
    rows = [_one(ranking, grades) for ranking, grades in zip(rankings, relevant, strict=True) if grades]
    return Scores(np.array(rows, np.float64).reshape(-1, len(NAMES)))


def _one(ranking: Sequence[str], grades: Mapping[str, int]) -> tuple[float, float, float, float]:
    gained = [grades.get(record, 0) for record in ranking]
    ideal = _discounted(sorted(grades.values(), reverse=True)[:10])
    first = next((1 / place for place, grade in enumerate(gained[:10], 1) if grade), 0.0)
    found = [sum(1 for grade in gained[:depth] if grade) / len(grades) for depth in (5, 20)]
    return _discounted(gained[:10]) / ideal, found[0], found[1], first


def _discounted(grades: Sequence[int]) -> float:
    return float(sum(grade / np.log2(place + 1) for place, grade in enumerate(grades, 1)))


def _interval(by_query: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 2.5 and 97.5 percentiles of resampled means."""
    count = len(by_query)
    if not count:
        return np.zeros(len(NAMES)), np.zeros(len(NAMES))
    random = np.random.default_rng(_SEED)
    means = np.array([by_query[random.integers(0, count, count)].mean(axis=0) for _ in range(_RESAMPLES)])
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high
