"""One bank, two sets of features, equal tuning: the measurements that `fraud.prove` judges.

Surprising: rounds are tuned for nothing, because the first rounds of a longer training are the shorter training.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from risk_scoring.domain.features import FEATURES, GRAPH_AND_LABEL
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud.calibration import CANDIDATES, Scorer, out_of_fold
from fraud.evaluate import calibration_error
from fraud.load import Transactions
from fraud.protocol import Protocol
from fraud.train import UNUSED, fit

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Truth = npt.NDArray[np.int8]
Choice = dict[str, int]
LEAVES, ROUNDS = (7, 15, 31), (150, 300)
THREADS = 2  # LightGBM's deterministic mode grows the same trees with any number
SIDES: dict[str, tuple[str, ...]] = {"all": UNUSED, "bare": (*UNUSED, *GRAPH_AND_LABEL)}
ABLATIONS: dict[str, tuple[str, ...]] = {
    f"without_{group}": (*UNUSED, *(feature.name for feature in FEATURES if feature.group == group)) for group in ("graph", "label")
}


@dataclass(frozen=True)
class Bank:
    """Rows and their vectors, from the tuning week on."""

    rows: Transactions
    vectors: F32


def tune(bank: Bank, week: Protocol, unused: Collection[str]) -> Choice:
    """The grid's best by average precision on the test days of `week`; the smaller model wins a tie."""
    vectors, target, tested, truth = _split(bank, week)
    found: list[tuple[float, Choice]] = []
    for leaves in LEAVES:
        booster = fit(vectors, target, unused=unused, parameters={"num_leaves": leaves, "num_threads": THREADS}, rounds=max(ROUNDS))
        for rounds in ROUNDS:
            score = np.asarray(booster.predict(tested, num_iteration=rounds))
            found.append((float(average_precision_score(truth, score)), {"num_leaves": leaves, "rounds": rounds}))
    return max(found, key=lambda item: item[0])[1]


def compare_week(bank: Bank, week: Protocol, chosen: dict[str, Choice], seed: int) -> dict[str, Any]:
    """All measurements of one test week; `chosen` has an entry for each of SIDES."""
    vectors, target, tested, truth = _split(bank, week)
    shuffled = np.random.default_rng([seed, week.train_start.toordinal()]).permutation(target)

    def score(choice: Choice, unused: Collection[str], labels: Truth) -> F64:
        return _train(vectors, labels, choice, unused)(tested)

    scores = {side: score(chosen[side], unused, target) for side, unused in SIDES.items()}
    scores |= {name: score(chosen["all"], unused, target) for name, unused in ABLATIONS.items()}
    scores["shuffled"] = score(chosen["all"], UNUSED, shuffled)
    customer = bank.rows.customer_code[week.train_rows(bank.rows)]
    held_out = out_of_fold(vectors, target, customer, lambda x, y: _train(x, y, chosen["all"], UNUSED))
    return {
        "train_start": week.train_start.isoformat(),
        "transactions": len(truth),
        "fraud_rate": float(truth.mean()),
        "calibration": {name: _honesty(truth, learn(held_out, target)(scores["all"])) for name, learn in CANDIDATES.items()},
    } | {name: _ranking(truth, values) for name, values in scores.items()}


def _train(vectors: F32, target: Truth, choice: Choice, unused: Collection[str]) -> Scorer:
    booster = fit(
        vectors, target, unused=unused, parameters={"num_leaves": choice["num_leaves"], "num_threads": THREADS}, rounds=choice["rounds"]
    )
    return lambda given: np.asarray(booster.predict(given), dtype=np.float64)


def _split(bank: Bank, week: Protocol) -> tuple[F32, Truth, F32, Truth]:
    train, test = week.train_rows(bank.rows), week.test_rows(bank.rows)
    return bank.vectors[train], week.targets(bank.rows)[train], bank.vectors[test], bank.rows.fraud[test]


def _ranking(truth: Truth, score: F64) -> dict[str, float]:
    return {"auc": float(roc_auc_score(truth, score)), "average_precision": float(average_precision_score(truth, score))}


def _honesty(truth: Truth, score: F64) -> dict[str, float]:
    return {
        "brier": float(np.mean((score - truth) ** 2)),
        "calibration_error": calibration_error(truth, score),
        "mean": float(score.mean()),
    }
