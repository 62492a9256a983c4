from __future__ import annotations

import numpy as np
import pytest
from simbank.history import History
from simbank.replay import duplicates_of, plan_replay
from simbank.schema import DAY_US

NOW_US = 1_780_000_000_000_000


def _day(history: History):
    rows = history.transactions
    return rows.take(np.flatnonzero(rows.event_time_us < (history.start_day + 1) * DAY_US))


def test_send_times_are_even_and_event_times_are_those_of_sending(history: History) -> None:
    plan = plan_replay(_day(history), rate_per_s=200, seconds=5, start_us=NOW_US)
    assert len(plan) == 1_000
    assert plan.intended_us[0] == NOW_US
    assert (np.diff(plan.intended_us) == 5_000).all()
    assert np.array_equal(plan.rows.event_time_us, plan.intended_us)
    assert len(np.unique(plan.rows.transaction_id)) == 1_000


def test_a_span_of_a_day_keeps_spacing_and_ends_at_the_start(history: History) -> None:
    day = _day(history)
    plan = plan_replay(day, rate_per_s=len(day), seconds=1, start_us=NOW_US, event_span_s=86_400)
    assert plan.rows.event_time_us[-1] == NOW_US
    assert np.array_equal(np.diff(plan.rows.event_time_us), np.diff(day.event_time_us))


def test_an_hour_span_squeezes_the_day(history: History) -> None:
    plan = plan_replay(_day(history), rate_per_s=100, seconds=10, start_us=NOW_US, event_span_s=3_600)
    assert NOW_US - 3_600_000_000 <= plan.rows.event_time_us[0] < NOW_US - 3_500_000_000


def test_no_row_is_sent_twice_to_reach_a_rate(history: History) -> None:
    day = _day(history)
    with pytest.raises(ValueError, match="cannot be replayed"):
        plan_replay(day, rate_per_s=len(day) + 1, seconds=1, start_us=NOW_US)


def test_duplicates_come_later_and_in_the_asked_share(history: History) -> None:
    plan = plan_replay(_day(history), rate_per_s=1_000, seconds=4, start_us=NOW_US)
    rows, times = duplicates_of(plan, 0.1, np.random.default_rng(0))
    assert 0.07 < len(rows) / len(plan) < 0.13
    assert (times >= plan.intended_us[rows] + 50_000).all()
    assert len(duplicates_of(plan, 0.0, np.random.default_rng(0))[0]) == 0


def test_a_part_keeps_its_times(history: History) -> None:
    plan = plan_replay(_day(history), rate_per_s=100, seconds=1, start_us=NOW_US)
    part = plan.part(np.array([3, 50]))
    assert part.intended_us.tolist() == [NOW_US + 30_000, NOW_US + 500_000]
    assert part.rows.transaction_id.tolist() == plan.rows.transaction_id[[3, 50]].tolist()
