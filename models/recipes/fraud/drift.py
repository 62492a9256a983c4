"""Whether the days a model meets still look like the days it learned: population stability, and alerts a day against what was wanted.

The index compares shares of bins: the sum of (actual - expected) ln(actual / expected). Customary reading: below 0.1 stable, above 0.25
look closer. It needs no labels, so it warns before labels come. Scores are compared from the delay days on, since a model is surer of the
rows it was trained on than of any other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from risk_scoring.domain.features import NAMES

from fraud.load import DAY_US, I64

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
BINS = 10
_MIN_SHARE = 1e-4  # an empty bin counts as this share, so that one new value does not make the index infinite


@dataclass(frozen=True)
class AlertRate:
    """Share of a day's transactions that reach a threshold, over the days of a test."""

    name: str
    wanted: float
    mean: float
    least: float
    most: float
    alerts_a_day: float

    def as_dict(self) -> dict[str, object]:
        """Names to values, rounded for reading."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


def stability_index(expected: npt.NDArray[np.floating], actual: npt.NDArray[np.floating], bins: int = BINS) -> float:
    """Population stability index; bins hold equal shares of `expected`, a value too frequent for one bin gets its own."""
    if not len(expected) or not len(actual):
        raise ValueError("the stability index needs rows on both sides")
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, bins + 1), method="lower"))
    places = 2 * len(edges) + 1  # on an edge or between two
    shares = [np.bincount(_places(edges, values), minlength=places) / len(values) for values in (expected, actual)]
    used = (shares[0] > 0) | (shares[1] > 0)
    before, after = (np.maximum(share[used], _MIN_SHARE) for share in shares)
    return float(np.sum((after - before) * np.log(after / before)))


def feature_drift(expected: F32, actual: F32) -> dict[str, float]:
    """Index of each feature, strongest first; features that never change are absent."""
    indices = {name: stability_index(expected[:, at], actual[:, at]) for at, name in enumerate(NAMES)}
    return {name: round(value, 4) for name, value in sorted(indices.items(), key=lambda item: -item[1]) if value > 0}


def alert_rates(score: F64, time_us: I64, thresholds: dict[str, float], wanted: dict[str, float]) -> list[AlertRate]:
    """What each threshold did, day by day."""
    _, day = np.unique(time_us // DAY_US, return_inverse=True)
    total = np.bincount(day)
    results = []
    for name, threshold in thresholds.items():
        alerts = np.bincount(day, weights=score >= threshold, minlength=len(total))
        rates = alerts / total
        results.append(
            AlertRate(
                name=name,
                wanted=wanted[name],
                mean=float(rates.mean()),
                least=float(rates.min()),
                most=float(rates.max()),
                alerts_a_day=float(alerts.mean()),
            )
        )
    return results


def _places(edges: npt.NDArray[np.floating], values: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Odd numbers for values that are an edge, even ones between edges."""
    return np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
