"""How far the reasons that are served agree with exact Shapley values, on a sample of alerts and of ordinary transactions.

Serving explains a score by contributions along decision paths, because they cost microseconds. Exact values are LightGBM's TreeSHAP
(Lundberg, Erion, Lee 2018; a unit test enumerates all coalitions beside it). Both add up to the raw score, which is a gate; they share the
sum differently, which is measured: by reason code, since codes are what a customer is told, and by rank of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from risk_scoring.domain.features import COUNT, FEATURES
from risk_scoring.domain.tree_paths import TreePaths
from scipy.stats import rankdata

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
TOP_FEATURES = 4  # as in risk-scoring's combine: features that may become reasons,
MIN_CONTRIBUTION = 0.05  # and the log-odds below which a feature is none; a test compares them
SUM_ERROR = 1e-6
CHUNK = 250


class ContributionError(RuntimeError):
    """Contributions do not add up to the score they explain."""


@dataclass(frozen=True)
class Agreement:
    """Path contributions beside exact Shapley values on one group of rows. Shares and means are over rows with a reason."""

    rows: int
    with_reason: int  # rows for which the exact values name a reason at all
    same_top_code: float  # share whose first reason code is the same
    top_3_overlap: float  # mean of |both| / |either|, over each side's first three codes
    rank_correlation: float  # Spearman over the features that either side moves, mean over all rows
    sum_error: float  # largest |sum of contributions - raw score| of both sides, log-odds

    def as_dict(self) -> dict[str, float]:
        """Names to values, rounded for reading."""
        return {name: value if isinstance(value, int) else float(f"{value:.4g}") for name, value in asdict(self).items()}


def choose_sample(score: F64, alert_from: float, size: int, seed: int = 1) -> dict[str, npt.NDArray[np.int64]]:
    """Row numbers of up to `size` alerts and as many rows of any score, each drawn evenly; the same input gives the same rows."""
    rng = np.random.default_rng(seed)
    groups = {"alerts": np.flatnonzero(score >= alert_from), "random": np.arange(len(score))}
    return {name: np.sort(rng.choice(rows, min(size, len(rows)), replace=False)) for name, rows in groups.items()}


def compare(booster: lgb.Booster, vectors: F32) -> Agreement:
    """Explain each row both ways. Raises ContributionError when either side misses the raw score."""
    if not len(vectors):
        return Agreement(rows=0, with_reason=0, same_top_code=0.0, top_3_overlap=0.0, rank_correlation=0.0, sum_error=0.0)
    paths = path_contributions(booster, vectors)
    exact = np.asarray(booster.predict(vectors, pred_contrib=True), dtype=np.float64)
    raw = np.asarray(booster.predict(vectors, raw_score=True), dtype=np.float64)
    error = check_sums(raw, path=paths, exact=exact)
    ours, theirs = reason_codes(paths[:, :COUNT]), reason_codes(exact[:, :COUNT])
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if b]
    return Agreement(
        rows=len(vectors),
        with_reason=len(pairs),
        same_top_code=_mean([a[:1] == b[:1] for a, b in pairs]),
        top_3_overlap=_mean([_overlap(a[:3], b[:3]) for a, b in pairs]),
        rank_correlation=_mean([rank_correlation(a, b) for a, b in zip(paths[:, :COUNT], exact[:, :COUNT], strict=True)]),
        sum_error=error,
    )


def path_contributions(booster: lgb.Booster, vectors: F32) -> F64:
    """(n, features + 1) log-odds as serving computes them, in chunks because all trees of a row are walked side by side."""
    trees = TreePaths.parse(booster.model_to_string())
    parts = [trees.contributions(vectors[start : start + CHUNK], booster.num_feature()) for start in range(0, len(vectors), CHUNK)]
    return np.concatenate(parts)


def check_sums(raw: F64, **contributions: F64) -> float:
    """Largest difference between a row's sum and its raw score; raises ContributionError above SUM_ERROR."""
    errors = {name: float(np.abs(values.sum(axis=1) - raw).max()) for name, values in contributions.items()}
    for name, error in errors.items():
        if not error <= SUM_ERROR:
            raise ContributionError(f"{name} contributions miss the raw score by {error:.2e}, allowed are {SUM_ERROR:.0e}")
    return max(errors.values())


def reason_codes(moves: F64) -> list[list[str]]:
    """Reason codes of each row, strongest first, by the rule of risk-scoring's combine."""
    rows = []
    for values in moves:
        found: dict[str, float] = {}
        for position in np.argsort(-values)[:TOP_FEATURES]:
            code, weight = FEATURES[position].reason, float(values[position])
            if code and weight >= MIN_CONTRIBUTION:
                found[code] = max(found.get(code, 0.0), weight)
        rows.append(sorted(found, key=lambda code: -found[code]))
    return rows


def rank_correlation(ours: F64, theirs: F64) -> float:
    """Spearman's correlation over the features that either side moves; 1 when fewer than two are."""
    moved = (ours != 0) | (theirs != 0)
    if moved.sum() < 2:
        return 1.0
    a, b = rankdata(ours[moved]), rankdata(theirs[moved])
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread else 0.0


def _overlap(ours: Sequence[str], theirs: Sequence[str]) -> float:
    return len(set(ours) & set(theirs)) / len(set(ours) | set(theirs))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
