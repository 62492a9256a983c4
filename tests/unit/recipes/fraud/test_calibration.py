from __future__ import annotations

import numpy as np
import pytest
from fraud.calibration import CANDIDATES, FOLDS, folds_by_customer, out_of_fold, reliability


@pytest.fixture(scope="module")
def boastful() -> tuple[np.ndarray, np.ndarray]:
    """Truth, and scores whose log-odds are twice too large and shifted."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-3, 1.5, 20_000)
    truth = (rng.random(20_000) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    return truth, 1 / (1 + np.exp(-(2 * log_odds + 1)))


def _brier(truth: np.ndarray, score: np.ndarray) -> float:
    return float(np.mean((truth - score) ** 2))


def test_the_reliability_table_says_score_and_frequency_of_each_bin() -> None:
    score = np.array([0.0, 0.0005, 0.001, 0.2, 0.2, 0.2, 0.2, 1.0])
    truth = np.array([0, 0, 1, 0, 0, 0, 1, 1], dtype=np.int8)
    bins = reliability(truth, score)
    assert [(x.low, x.high, x.count) for x in bins] == [(0.0, 0.001, 2), (0.001, 0.003, 1), (0.1, 0.3, 4), (0.9, 1.0, 1)]
    assert (bins[2].mean_score, bins[2].frequency) == (pytest.approx(0.2), 0.25)
    assert bins[2].as_dict() == {"low": 0.1, "high": 0.3, "count": 4, "mean_score": 0.2, "frequency": 0.25}


@pytest.mark.parametrize("name", ["platt", "isotonic"])
def test_maps_repair_scores_that_boast(boastful: tuple[np.ndarray, np.ndarray], name: str) -> None:
    truth, score = boastful
    repaired = CANDIDATES[name](score[::2], truth[::2])(score[1::2])
    assert _brier(truth[1::2], repaired) < _brier(truth[1::2], score[1::2]) - 0.002
    order = np.argsort(score[1::2])
    assert (np.diff(repaired[order]) >= 0).all(), "the ranking stays"


def test_the_prior_moves_the_mean_and_no_change_changes_nothing(boastful: tuple[np.ndarray, np.ndarray]) -> None:
    truth, score = boastful
    assert CANDIDATES["prior"](score, truth)(score).mean() == pytest.approx(truth.mean(), abs=1e-6)
    assert np.array_equal(CANDIDATES["none"](score, truth)(score), score)


def test_folds_keep_a_customer_together_and_are_even() -> None:
    customer = np.repeat(np.arange(40) * 7, 5)
    fold = folds_by_customer(customer)
    assert all(len(set(fold[customer == one])) == 1 for one in np.unique(customer))
    assert np.bincount(fold).tolist() == [50] * FOLDS


def test_out_of_fold_scores_come_from_models_that_never_saw_the_customer() -> None:
    customer = np.repeat(np.arange(20), 3)
    vectors = customer[:, None].astype(np.float32)

    def train(seen: np.ndarray, target: np.ndarray):
        assert len(seen) == len(target) == 45
        return lambda given: np.isin(given[:, 0], seen[:, 0]).astype(float) + 5

    assert out_of_fold(vectors, np.zeros(60, dtype=np.int8), customer, train).tolist() == [5.0] * 60
