from __future__ import annotations

import numpy as np
import pytest
from fraud.drift import alert_rates, feature_drift, stability_index
from fraud.load import DAY_US
from risk_scoring.domain.features import COUNT, INDEX


def test_the_index_is_the_sum_over_bins() -> None:
    before, after = np.array([0.0] * 50 + [1.0] * 50), np.array([0.0] * 80 + [1.0] * 20)
    assert stability_index(before, after) == pytest.approx(0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5))


def test_equal_days_are_stable_and_a_shift_is_not() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(size=20_000)
    assert stability_index(before, before) == 0
    assert stability_index(before, rng.normal(size=20_000)) < 0.01
    assert 0.1 < stability_index(before, rng.normal(0.5, size=20_000)) < 0.5
    assert stability_index(before, before[::-1] + 3) > 2


def test_a_value_that_never_was_counts_and_stays_finite() -> None:
    index = stability_index(np.zeros(100), np.ones(100))
    assert np.isfinite(index)
    assert index > 10
    assert stability_index(np.zeros(100), np.zeros(7)) == 0
    with pytest.raises(ValueError, match="both sides"):
        stability_index(np.zeros(0), np.zeros(3))


def test_a_frequent_value_does_not_hide_what_lies_between() -> None:
    """Most features are zero most of the time; a doubled share of the rest must show."""
    rng = np.random.default_rng(1)
    before = np.where(rng.random(10_000) < 0.97, 0.0, rng.random(10_000))
    after = np.where(rng.random(10_000) < 0.90, 0.0, rng.random(10_000))
    assert stability_index(before, after) > 0.05


def test_features_are_ordered_by_their_drift() -> None:
    before = np.random.default_rng(2).random((2_000, COUNT)).astype(np.float32)
    before[:, INDEX["channel"]] = 1
    after = before.copy()
    after[:, INDEX["amount_log"]] += 0.5
    after[:, INDEX["c_sum_24h"]] += 0.1
    assert list(feature_drift(before, after)) == ["amount_log", "c_sum_24h"]


def test_alerts_are_counted_by_day() -> None:
    time_us = np.array([0, 1, 2, 3, 10, 11]) * DAY_US // 4 + 20_000 * DAY_US
    (review,) = alert_rates(np.array([0.9, 0.1, 0.1, 0.1, 0.5, 0.4]), time_us, {"review": 0.5}, {"review": 0.2})
    assert (review.mean, review.least, review.most) == (0.375, 0.25, 0.5)
    assert (review.wanted, review.alerts_a_day) == (0.2, 1.0)
