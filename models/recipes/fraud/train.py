"""Fits the boosted trees: deterministic, small, on one week.

Surprising: ages (`*_age_d`) grow with the length of the history and not with risk, and compromised customers are blocked in life and
leave the test, so `c_fraud_30d` would teach what cannot be used; these four never enter a tree. They stay in the vector: the schema is
the scripts', a model picks from it. Classes are not reweighted, so that a score stays a probability. Fine bins (`max_bin`) matter:
limits that thieves know are sharp.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from risk_scoring.domain.features import NAMES

F32 = npt.NDArray[np.float32]
UNUSED = ("c_age_d", "p_age_d", "v_age_d", "c_fraud_30d")
ROUNDS = 300
PARAMETERS: dict[str, object] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "max_bin": 4095,
    "min_data_in_bin": 1,
    "feature_fraction_bynode": 0.5,
    "path_smooth": 1.0,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 1,
    "verbose": -1,
}


def fit(
    vectors: F32,
    target: npt.NDArray[np.int8],
    *,
    unused: Collection[str] = UNUSED,
    parameters: Mapping[str, object] | None = None,
    rounds: int = ROUNDS,
) -> lgb.Booster:
    """Boosted trees on (N, features) vectors; the same input gives the same trees. `parameters` replace those above, for comparisons."""
    visible = vectors.copy()
    visible[:, [NAMES.index(name) for name in unused]] = 0.0  # a constant column is never split on
    data = lgb.Dataset(visible, label=target, feature_name=list(NAMES), free_raw_data=False)
    return lgb.train(PARAMETERS | dict(parameters or {}), data, num_boost_round=rounds)
