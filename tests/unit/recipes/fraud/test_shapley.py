"""Exact Shapley values are exact, and path contributions are compared with them by the rule that serves."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from fraud import shapley
from fraud.shapley import ContributionError, check_sums, choose_sample, compare, rank_correlation, reason_codes
from fraud.train import fit
from risk_scoring.domain import combine
from risk_scoring.domain.features import COUNT, INDEX
from risk_scoring.domain.tree_paths import TreePaths

FEATURES = 4


@pytest.fixture(scope="module")
def tiny() -> tuple[lgb.Booster, np.ndarray]:
    """Two trees of five leaves on four features that work together."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, FEATURES)).astype(np.float32)
    target = ((rows[:, 0] > 0) & (rows[:, 1] + rows[:, 2] > 0)).astype(np.int8)
    parameters = {"objective": "binary", "num_leaves": 5, "num_threads": 1, "deterministic": True, "verbose": -1, "force_row_wise": True}
    return lgb.train(parameters, lgb.Dataset(rows, label=target), num_boost_round=2), rows[:12]


def _expectation(node: dict[str, Any], row: np.ndarray, known: frozenset[int]) -> float:
    """Value of a coalition: follow what is known, average over the training rows where it is not."""
    if "leaf_value" in node:
        return float(node["leaf_value"])
    sides = (node["left_child"], node["right_child"])
    left, right = (_expectation(side, row, known) for side in sides)
    if node["split_feature"] in known:
        return left if row[node["split_feature"]] <= node["threshold"] else right
    counts = [side.get("leaf_count", side.get("internal_count")) for side in sides]
    return (left * counts[0] + right * counts[1]) / sum(counts)


def _enumerated(booster: lgb.Booster, row: np.ndarray) -> list[float]:
    """Shapley's own formula, over all coalitions."""
    trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]

    def worth(known: frozenset[int]) -> float:
        return sum(_expectation(tree, row, known) for tree in trees)

    values = []
    for feature in range(FEATURES):
        others = [other for other in range(FEATURES) if other != feature]
        value = 0.0
        for size in range(FEATURES):
            weight = factorial(size) * factorial(FEATURES - size - 1) / factorial(FEATURES)
            for group in map(frozenset, combinations(others, size)):
                value += weight * (worth(group | {feature}) - worth(group))
        values.append(value)
    return [*values, worth(frozenset())]


def test_tree_shap_is_what_enumeration_of_all_coalitions_gives(tiny: tuple[lgb.Booster, np.ndarray]) -> None:
    booster, rows = tiny
    exact = booster.predict(rows, pred_contrib=True)
    assert np.allclose(exact, [_enumerated(booster, row) for row in rows], atol=1e-9)
    assert (np.abs(exact[:, :FEATURES]).max(axis=0)[:3] > 0.01).all(), "three features matter"


def test_path_contributions_are_another_thing_that_adds_up_too(tiny: tuple[lgb.Booster, np.ndarray]) -> None:
    booster, rows = tiny
    paths = TreePaths.parse(booster.model_to_string()).contributions(rows, FEATURES)
    raw = booster.predict(rows, raw_score=True)
    assert check_sums(raw, path=paths, exact=booster.predict(rows, pred_contrib=True)) < 1e-9
    assert not np.allclose(paths, booster.predict(rows, pred_contrib=True), atol=1e-3)


def test_contributions_that_miss_the_score_are_refused(tiny: tuple[lgb.Booster, np.ndarray]) -> None:
    booster, rows = tiny
    raw = booster.predict(rows, raw_score=True)
    wrong = booster.predict(rows, pred_contrib=True)
    wrong[3, 0] += 1e-4
    with pytest.raises(ContributionError, match=r"exact contributions miss the raw score by 1\.00e-04"):
        check_sums(raw, exact=wrong)
    wrong[3, 0] = np.nan
    with pytest.raises(ContributionError):
        check_sums(raw, exact=wrong)


def test_the_limits_are_those_that_serve() -> None:
    assert (shapley.TOP_FEATURES, shapley.MIN_CONTRIBUTION) == (combine._TOP_REASONS, combine._MIN_CONTRIBUTION)


def test_reason_codes_merge_features_and_leave_out_weak_and_silent_ones() -> None:
    moves = np.zeros((2, COUNT))
    for name, weight in {"p_risk_7d": 0.4, "p_fraud_30d": 0.3, "v_customers_7d": 0.35, "c_count_30d": 2.0}.items():
        moves[0, INDEX[name]] = weight
    moves[1, INDEX["amount_log"]], moves[1, INDEX["c_new_device"]] = 0.049, -3.0
    assert reason_codes(moves) == [["R_COUNTERPARTY_FRAUD", "R_DEVICE_SHARED"], []]


def test_a_fifth_feature_is_no_reason() -> None:
    moves = np.zeros((1, COUNT))
    for weight, name in enumerate(("amount_log", "c_new_device", "c_sum_24h", "p_payers_24h", "local_hour"), 1):
        moves[0, INDEX[name]] = weight
    assert reason_codes(moves) == [["R_UNUSUAL_HOUR", "R_FAN_IN", "R_SPEND_HIGH", "R_NEW_DEVICE"]]


def test_rank_correlation_is_spearmans_over_features_that_moved() -> None:
    ours, theirs = np.array([3.0, 2.0, 1.0, 0.0]), np.array([30.0, 20.0, 10.0, 0.0])
    assert rank_correlation(ours, theirs) == pytest.approx(1.0)
    assert rank_correlation(ours, np.array([1.0, 2.0, 3.0, 0.0])) == pytest.approx(-1.0)
    assert rank_correlation(ours, np.array([2.0, 3.0, 1.0, 0.0])) == pytest.approx(0.5)
    assert rank_correlation(np.zeros(3), np.zeros(3)) == 1.0


def _model() -> tuple[lgb.Booster, np.ndarray]:
    rng = np.random.default_rng(3)
    vectors = rng.random((600, COUNT)).astype(np.float32)
    risk, amount = vectors[:, INDEX["p_risk_7d"]], vectors[:, INDEX["amount_log"]]
    return fit(vectors, ((risk > 0.7) & (amount > 0.5)).astype(np.int8), rounds=20), vectors


def test_agreement_counts_rows_and_agrees_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    booster, vectors = _model()
    found = compare(booster, vectors[:60])
    assert (found.rows, found.sum_error < 1e-9) == (60, True)
    assert 0 < found.with_reason <= 60
    assert 0 < found.same_top_code <= 1
    assert 0 < found.rank_correlation < 1, "the two differ"
    monkeypatch.setattr(shapley, "path_contributions", lambda booster, rows: booster.predict(rows, pred_contrib=True))
    same = compare(booster, vectors[:60])
    assert (same.same_top_code, same.top_3_overlap, same.rank_correlation) == (1.0, 1.0, pytest.approx(1.0))
    assert compare(booster, vectors[:0]).rows == 0


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    booster, vectors = _model()
    whole = shapley.path_contributions(booster, vectors[:20])
    monkeypatch.setattr(shapley, "CHUNK", 7)
    assert np.array_equal(shapley.path_contributions(booster, vectors[:20]), whole)


def test_the_sample_holds_alerts_and_any_rows_and_is_repeatable() -> None:
    score = np.linspace(0, 1, 1_000)
    chosen = choose_sample(score, 0.9, 50)
    assert (len(chosen["alerts"]), len(chosen["random"])) == (50, 50)
    assert (score[chosen["alerts"]] >= 0.9).all()
    assert (score[chosen["random"]] < 0.9).any()
    assert len(choose_sample(score, 0.99, 50)["alerts"]) == 10
    assert all(np.array_equal(chosen[name], again) for name, again in choose_sample(score, 0.9, 50).items())
