"""Every transaction once, each way in its share, and the two ways of one apart by as much as is said."""

import time

import numpy as np
import pytest
from drills.bankday import workload
from drills.bankday.workload import APART_US, Workload
from simbank.schema import DAY_US

RATE, SECONDS, START_US = 200.0, 10.0, 1_763_800_000_000_000


@pytest.fixture(scope="module")
def work() -> Workload:
    return workload.plan(workload.build_bank(2_000, run=5), rate_per_s=RATE, seconds=SECONDS, start_us=START_US)


def test_every_transaction_goes_one_way_at_least(work: Workload) -> None:
    stream, calls = set(work.trace_of(work.stream)), set(work.trace_of(work.calls))
    assert stream | calls == set(work.trace_of(work.plan))
    assert len(stream | calls) == 2_000
    assert len(stream & calls) == sum(work.both.values())
    assert 0.06 < len(calls) / 2_000 < 0.14
    assert 0.3 < len(stream & calls) / len(calls) < 0.5


def test_those_of_both_ways_come_before_after_and_at_once(work: Workload) -> None:
    called = dict(zip(work.trace_of(work.calls), work.calls.intended_us, strict=True))
    streamed = dict(zip(work.trace_of(work.stream), work.stream.intended_us, strict=True))
    apart = [int(streamed[t] - called[t]) for t in called.keys() & streamed.keys() if called[t] > START_US + APART_US]
    assert set(apart) == {-APART_US, 0, APART_US}
    assert np.all(np.diff(work.stream.intended_us) >= 0)
    assert work.stream.intended_us[0] >= START_US


def test_the_day_ends_with_the_start_and_is_younger_than_the_dedupe_horizon(work: Workload) -> None:
    events = work.plan.rows.event_time_us
    assert events.max() == START_US
    assert START_US - events.min() < DAY_US - 3_600_000_000


def test_a_day_has_enough_for_any_run() -> None:
    wanted = 40_000
    assert len(workload.build_bank(wanted, run=time.time_ns()).day) >= wanted
