"""One bank, two sets of features, equal tuning: the measurements that `fraud.prove` judges.

Surprising: rounds are tuned for nothing, because the first rounds of a longer training are the shorter training. Shuffled targets are
tried twice. On the whole week few targets are frauds, so most small leaves hold none and lie below the rest; real frauds fall into small
leaves, which ranks them low: a skew, not knowledge. On as many frauds as genuine rows chance is symmetric and must rank evenly.
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
from fraud.train import PARAMETERS, UNUSED, fit
from fraud.train import ROUNDS as TRAINED_ROUNDS

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Truth = npt.NDArray[np.int8]
Choice = dict[str, int]
LEAVES, ROUNDS = (7, 15, 31), (150, 300)
SERVED = {"num_leaves": int(str(PARAMETERS["num_leaves"])), "rounds": TRAINED_ROUNDS}  # the recipe's own choice, which is calibrated
SHUFFLES = 5
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
    rng = np.random.default_rng([seed, week.train_start.toordinal()])

    def score(choice: Choice, unused: Collection[str], labels: Truth) -> F64:
        return _train(vectors, labels, choice, unused)(tested)

    scores = {side: score(chosen[side], unused, target) for side, unused in SIDES.items()}
    scores |= {name: score(chosen["all"], unused, target) for name, unused in ABLATIONS.items()}
    scores |= {"served": score(SERVED, UNUSED, target), "shuffled": score(chosen["all"], UNUSED, rng.permutation(target))}
    customer = bank.rows.customer_code[week.train_rows(bank.rows)]
    held_out = out_of_fold(vectors, target, customer, lambda x, y: _train(x, y, SERVED, UNUSED))
    return {
        "train_start": week.train_start.isoformat(),
        "transactions": len(truth),
        "fraud_rate": float(truth.mean()),
        "calibration": {name: _honesty(truth, learn(held_out, target)(scores["served"])) for name, learn in CANDIDATES.items()},
        "shuffled_even": _shuffled_even(bank, week, chosen["all"], rng),
    } | {name: _ranking(truth, values) for name, values in scores.items()}


def _shuffled_even(bank: Bank, week: Protocol, choice: Choice, rng: np.random.Generator) -> dict[str, float]:
    """Mean ranking of SHUFFLES models, each trained on all frauds and as many genuine rows with their targets shuffled."""
    vectors, target, tested, truth = _split(bank, week)
    rankings = []
    for _ in range(SHUFFLES):
        frauds, genuine = np.flatnonzero(target), np.flatnonzero(target == 0)
        rows = np.concatenate([frauds, rng.choice(genuine, len(frauds), replace=False)])
        rankings.append(_ranking(truth, _train(vectors[rows], rng.permutation(target[rows]), choice, UNUSED)(tested)))
    return {name: float(np.mean([ranking[name] for ranking in rankings])) for name in rankings[0]}


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
