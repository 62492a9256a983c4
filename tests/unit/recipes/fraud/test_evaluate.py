from __future__ import annotations

import numpy as np
import pytest
from fraud.evaluate import at_thresholds, calibration_error, card_precision, choose_thresholds, measure
from fraud.load import DAY_US


def _days(*days: int) -> np.ndarray:
    return np.array(days) * DAY_US


def test_card_precision_counts_cards_not_transactions() -> None:
    truth = np.array([1, 1, 0, 0], dtype=np.int8)
    score = np.array([0.9, 0.8, 0.7, 0.1])
    card = np.array([5, 5, 6, 7])
    assert card_precision(truth, score, _days(0, 0, 0, 0), card, 2) == pytest.approx(0.5)


def test_a_card_that_was_found_leaves_the_later_days() -> None:
    truth = np.array([1, 1, 0], dtype=np.int8)
    card = np.array([5, 5, 6])
    score = np.array([0.9, 0.9, 0.5])
    assert card_precision(truth, score, _days(0, 1, 1), card, 1) == pytest.approx(0.5)


def test_a_compromised_card_counts_by_its_highest_score_of_the_day() -> None:
    truth = np.array([1, 0, 0], dtype=np.int8)
    assert card_precision(truth, np.array([0.2, 0.9, 0.5]), _days(0, 0, 0), np.array([1, 1, 2]), 1) == pytest.approx(1.0)


def test_perfect_and_reversed_rankings() -> None:
    truth = np.array([0, 0, 1, 1], dtype=np.int8)
    score = np.array([0.1, 0.2, 0.8, 0.9])
    perfect = measure(truth, score, _days(0, 0, 0, 0), np.arange(4))
    reversed_ = measure(truth, 1 - score, _days(0, 0, 0, 0), np.arange(4))
    assert (perfect.auc, perfect.average_precision) == (1.0, 1.0)
    assert reversed_.auc == 0.0
    assert perfect.brier < reversed_.brier
    assert perfect.as_dict()["card_precision_at_100"] == pytest.approx(0.02)


def test_calibration_error_is_zero_for_honest_scores_and_the_gap_for_boastful_ones() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(200_000)
    truth = (rng.random(200_000) < score).astype(np.int8)
    assert calibration_error(truth, score) < 0.01
    assert calibration_error(truth, np.clip(score + 0.2, 0, 1.2)) == pytest.approx(0.2, abs=0.01)


def test_thresholds_reach_the_wanted_share() -> None:
    score = np.round(np.random.default_rng(1).random(10_000), 6)
    levels = choose_thresholds(score, {"review": 0.01, "decline": 0.002})
    assert (score >= levels["review"]).mean() == pytest.approx(0.01, abs=5e-4)
    assert levels["decline"] > levels["review"]
    truth = (score > 0.995).astype(np.int8)
    review, decline = at_thresholds(truth, score, levels)
    assert review.precision == pytest.approx(0.5, abs=0.06)
    assert (review.recall, decline.precision) == (1.0, 1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        choose_thresholds(score, {"review": 0.0})
