"""One constant on the log-odds, so that scores mean what they say on customers the model has not met.

Boosted trees are surer of the customers they were trained on than of others, so on new days the mean score falls short of the rate of
fraud. The constant is the one that makes out-of-fold scores of the training days mean the training rate; it changes no ranking and no
threshold's share of alerts. It lives in the first tree: in every leaf and in the expected values of its inner nodes, so that graph, native
trees and contributions all have it, the latter as part of the bias.
"""

from __future__ import annotations

from collections.abc import Collection

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from fraud.calibration import Scorer, out_of_fold, prior_shift
from fraud.load import I64
from fraud.train import UNUSED, fit

F32 = npt.NDArray[np.float32]


def fit_calibrated(
    vectors: F32, target: npt.NDArray[np.int8], customer: I64, unused: Collection[str] = UNUSED
) -> tuple[lgb.Booster, float]:
    """The recipe's trees with the constant, and the constant; `customer` tells whose rows stay together. Trains five times."""

    def scores_of(seen: F32, labels: npt.NDArray[np.int8]) -> Scorer:
        part = fit(seen, labels, unused=unused)
        return lambda given: np.asarray(part.predict(given), dtype=np.float64)

    constant = prior_shift(out_of_fold(vectors, target, customer, scores_of), target)
    return shifted(fit(vectors, target, unused=unused), constant), constant


def shifted(booster: lgb.Booster, log_odds: float) -> lgb.Booster:
    """The same trees, every raw score larger by `log_odds`."""
    head, first, rest = _split(booster.model_to_string())
    lines = []
    for line in first.split("\n"):
        name, _, values = line.partition("=")
        moved = name in {"leaf_value", "internal_value"} and values
        lines.append(f"{name}={' '.join(repr(float(value) + log_odds) for value in values.split())}" if moved else line)
    kept = [
        line for line in head.split("\n") if not line.startswith("tree_sizes=")
    ]  # lengths in bytes, wrong by now; LightGBM counts again
    return lgb.Booster(model_str="\n".join(kept) + "\n".join(lines) + rest)


def _split(text: str) -> tuple[str, str, str]:
    """What stands before the first tree, the first tree, and the rest."""
    begin = text.index("Tree=0\n")
    ends = [at for at in (text.find("\nTree=1\n", begin), text.find("\nend of trees", begin)) if at >= 0]
    return text[:begin], text[begin : min(ends)], text[min(ends) :]
