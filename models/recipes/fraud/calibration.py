"""Whether a probability means what it says, and whether mapping scores to better ones helps.

The model is served as trained: a candidate must win in the proof (`fraud.prove`) before it may enter the graph. Candidates learn from
out-of-fold scores of the training days alone, folded by customer, so that nothing of the test is used and nobody's habits help to judge
him. Source of two of them: Platt 1999; Zadrozny and Elkan 2002.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from fraud.load import I64

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Truth = npt.NDArray[np.int8]
Calibrator = Callable[[F64], F64]
Scorer = Callable[[F32], F64]
EDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9)
FOLDS = 4
_CLIP = 1e-6


@dataclass(frozen=True)
class Bin:
    """Transactions whose scores lie in [low, high)."""

    low: float
    high: float
    count: int
    mean_score: float
    frequency: float  # share that was fraud

    def as_dict(self) -> dict[str, float]:
        """Names to values, rounded for reading."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def reliability(truth: Truth, score: F64) -> list[Bin]:
    """Reliability table; bins are fixed and narrow where scores are low, because there most transactions are. Empty bins are left out."""
    edges = (0.0, *EDGES, 1.0)
    place = np.searchsorted(EDGES, score, side="right")
    bins = []
    for at, (low, high) in enumerate(pairwise(edges)):
        rows = place == at
        if rows.any():
            bins.append(Bin(low, high, int(rows.sum()), float(score[rows].mean()), float(truth[rows].mean())))
    return bins


def folds_by_customer(customer: I64, folds: int = FOLDS, seed: int = 1) -> I64:
    """Fold number of each row; all rows of a customer share one."""
    _, code = np.unique(customer, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(int(code.max()) + 1)
    return np.asarray(shuffled[code] % folds, dtype=np.int64)


def out_of_fold(vectors: F32, target: Truth, customer: I64, train: Callable[[F32, Truth], Scorer]) -> F64:
    """Scores of training rows by models that did not see their customers; `train` returns a function from vectors to scores."""
    fold, scores = folds_by_customer(customer), np.empty(len(target))
    for number in range(FOLDS):
        held = fold == number
        scores[held] = train(vectors[~held], target[~held])(vectors[held])
    return scores


def no_change(score: F64, truth: Truth) -> Calibrator:
    """Scores as they are."""
    return lambda given: given


def prior(score: F64, truth: Truth) -> Calibrator:
    """One constant added to all log-odds, so that the mean score is the rate of fraud."""
    shift = prior_shift(score, truth)
    return lambda given: _probability(_log_odds(given) + shift)


def prior_shift(score: F64, truth: Truth) -> float:
    """That constant, by bisection: the mean grows with it."""
    low, high = -10.0, 10.0
    for _ in range(60):
        shift = (low + high) / 2
        low, high = (shift, high) if _probability(_log_odds(score) + shift).mean() < truth.mean() else (low, shift)
    return low


def platt(score: F64, truth: Truth) -> Calibrator:
    """Logistic regression on the log-odds."""
    line = LogisticRegression(C=1e6).fit(_log_odds(score)[:, None], truth)
    return lambda given: np.asarray(line.predict_proba(_log_odds(given)[:, None])[:, 1], dtype=np.float64)


def isotonic(score: F64, truth: Truth) -> Calibrator:
    """Steps that never fall."""
    steps = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(score, truth)
    return lambda given: np.asarray(steps.predict(given), dtype=np.float64)


CANDIDATES: dict[str, Callable[[F64, Truth], Calibrator]] = {"none": no_change, "prior": prior, "platt": platt, "isotonic": isotonic}


def _log_odds(score: F64) -> F64:
    clipped = np.clip(score, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float64)


def _probability(log_odds: F64) -> F64:
    return np.asarray(1 / (1 + np.exp(-log_odds)), dtype=np.float64)
