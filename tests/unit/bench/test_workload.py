"""A bank hands every transaction out once, with event times of the last hours."""

import time

import numpy as np
import pytest

from bench.workload import EVENT_SPAN_US, build_bank


def test_parts_share_no_transaction_and_come_in_order_of_time() -> None:
    bank = build_bank(200, 600, run=1)
    first, second = (bank.take(300, rate_per_s=100, start_us=5) for _ in range(2))
    assert not set(first.rows.transaction_id) & set(second.rows.transaction_id)
    assert first.rows.event_time_us[-1] <= second.rows.event_time_us[0]


def test_more_than_there_is_is_refused() -> None:
    bank = build_bank(200, 300, run=1)
    with pytest.raises(LookupError, match="customers"):
        bank.take(len(bank.rows) + 1, rate_per_s=1, start_us=0)


def test_event_times_lie_inside_the_dedupe_horizon() -> None:
    rows = build_bank(100, 2_000, run=1).rows
    now_us = time.time_ns() // 1_000
    assert len(rows) >= 2_000
    assert rows.event_time_us.max() <= now_us
    assert rows.event_time_us.min() >= now_us - EVENT_SPAN_US - 60_000_000


def test_the_intended_times_follow_the_rate() -> None:
    part = build_bank(200, 100, run=1).take(50, rate_per_s=200, start_us=1_000)
    assert part.intended_us[0] == 1_000
    assert set(np.diff(part.intended_us)) == {5_000}


def test_one_tenant_alone() -> None:
    assert set(build_bank(400, 300, run=1, tenant="rural").rows.tenant) == {1}
