"""What a fraud model is worth: ranking, alerts an investigator can follow, and whether a probability means what it says.

Card precision@k: the share of truly compromised cards among each day's top k cards, averaged over days; a card found leaves the later
days, as it would be blocked (Le Borgne et al., section "Precision top-k").
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud.load import DAY_US, I64

F64 = npt.NDArray[np.float64]
Truth = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Metrics:
    """Results on the test days. Rates are shares of transactions."""

    auc: float
    average_precision: float
    card_precision_at_100: float
    brier: float
    calibration_error: float  # mean |score - frequency| over ten score bins of equal size
    predicted_rate: float
    fraud_rate: float
    transactions: int
    frauds: int

    def as_dict(self) -> dict[str, float]:
        """Names to values, rounded for reading."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class AtThreshold:
    """What a threshold does to the test days."""

    name: str
    threshold: float
    rate: float
    precision: float
    recall: float


def measure(truth: Truth, score: F64, time_us: I64, card: I64) -> Metrics:
    """All metrics of one test period."""
    return Metrics(
        auc=float(roc_auc_score(truth, score)),
        average_precision=float(average_precision_score(truth, score)),
        card_precision_at_100=card_precision(truth, score, time_us, card, 100),
        brier=float(np.mean((score - truth) ** 2)),
        calibration_error=calibration_error(truth, score),
        predicted_rate=float(score.mean()),
        fraud_rate=float(truth.mean()),
        transactions=len(truth),
        frauds=int(truth.sum()),
    )


def card_precision(truth: Truth, score: F64, time_us: I64, card: I64, top: int) -> float:
    """Card precision@`top`; a day with fewer cards than `top` still divides by `top`."""
    day = time_us // DAY_US
    found: set[int] = set()
    precisions = []
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & ~np.isin(card, list(found)))
        order = rows[np.argsort(-score[rows], kind="stable")]
        cards, first = np.unique(card[order], return_index=True)
        ranked = cards[np.argsort(first, kind="stable")][:top]
        compromised = set(card[rows[truth[rows] == 1]].tolist())
        hits = [number for number in ranked.tolist() if number in compromised]
        precisions.append(len(hits) / top)
        found.update(hits)
    return float(np.mean(precisions))


def calibration_error(truth: Truth, score: F64, bins: int = 10) -> float:
    """Expected calibration error over bins of equal size."""
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(score[part].mean() - truth[part].mean()) * len(part) for part in parts) / len(order))


def choose_thresholds(score: F64, rates: dict[str, float]) -> dict[str, float]:
    """Thresholds that the given shares of `score` reach; needs no labels, so it may look at days whose labels are still out."""
    if any(not 0 < rate < 1 for rate in rates.values()):
        raise ValueError("alert rates are shares between 0 and 1")
    return {name: float(np.ceil(np.quantile(score, 1 - rate, method="higher") * 1e6) / 1e6) for name, rate in rates.items()}


def at_thresholds(truth: Truth, score: F64, thresholds: dict[str, float]) -> list[AtThreshold]:
    """Rate, precision and recall of each threshold."""
    results = []
    for name, threshold in thresholds.items():
        flagged = score >= threshold
        hit = float((truth[flagged] == 1).sum())
        results.append(AtThreshold(name, threshold, float(flagged.mean()), hit / max(flagged.sum(), 1), hit / max(truth.sum(), 1)))
    return results
