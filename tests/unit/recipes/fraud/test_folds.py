from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from fraud.evaluate import measure
from fraud.folds import Fold, run_fold, summary
from fraud.load import Transactions, from_table
from fraud.protocol import Protocol
from risk_scoring.domain.features import COUNT, INDEX
from risk_scoring.domain.rates import RateTable

PLAN = Protocol(date(2024, 3, 1), 100, 25, 25)  # four rows a day: 400 train, 100 set thresholds, 100 test


@pytest.fixture
def rows(small_table, rates: RateTable) -> Transactions:
    return from_table(small_table(600, customer_id=np.arange(600)), delay_days=5, rates=rates)


def _vectors(rows: Transactions) -> np.ndarray:
    """One feature tells three frauds of four."""
    vectors = np.zeros((len(rows), COUNT), dtype=np.float32)
    vectors[:, INDEX["p_risk_7d"]] = rows.fraud * (np.arange(len(rows)) % 40 > 0)
    return vectors


def test_a_fold_trains_sets_thresholds_and_tests_on_its_own_days(rows: Transactions) -> None:
    fold = run_fold(PLAN, rows, _vectors(rows), {"review": 0.1})
    assert np.flatnonzero(fold.test).tolist() == list(range(500, 600))
    assert (len(fold.test_scores), len(fold.delay_scores)) == (100, 100)
    assert (fold.metrics.transactions, fold.metrics.frauds) == (100, 10)
    (alerts,) = fold.alerts
    assert (alerts.wanted, alerts.name) == (0.1, "review")
    assert fold.as_week()["test_start"] == "2024-07-04"


def test_features_that_are_taken_away_teach_nothing(rows: Transactions) -> None:
    fold = run_fold(PLAN, rows, _vectors(rows), {"review": 0.1}, unused=("p_risk_7d",))
    assert fold.metrics.auc == 0.5


def test_calibration_moves_scores_and_no_ranking(rows: Transactions) -> None:
    ours, plain = (run_fold(PLAN, rows, _vectors(rows), {"review": 0.1}, calibrated=on) for on in (True, False))
    assert plain.constant == 0 != ours.constant
    assert (ours.metrics.auc, ours.thresholds[0].rate) == (plain.metrics.auc, plain.thresholds[0].rate)
    assert ours.metrics.predicted_rate != plain.metrics.predicted_rate


def test_the_summary_covers_metrics_and_alert_rates(rows: Transactions) -> None:
    fold: Fold = run_fold(PLAN, rows, _vectors(rows), {"review": 0.1})
    zero = np.zeros(2, dtype=np.int64)
    worse = replace(
        fold,
        metrics=measure(np.array([0, 1], dtype=np.int8), np.array([0.5, 0.0]), zero, np.arange(2)),
        thresholds=[replace(fold.thresholds[0], rate=fold.thresholds[0].rate + 0.2)],
    )
    found = summary([fold, worse])
    assert found["auc"] == {"mean": pytest.approx(fold.metrics.auc / 2), "deviation": pytest.approx(fold.metrics.auc / 2)}
    assert found["review_rate"]["deviation"] == pytest.approx(0.1)
    assert summary([fold])["auc"]["deviation"] == 0
