"""Slow against itself and its peers, and what is not slow."""

from __future__ import annotations

from backends.health.pace import FEWEST, RECENT_S, Bounds, Pace
from hypothesis import given, settings
from hypothesis import strategies as st

BOUNDS = Bounds(factor=5.0, floor_s=0.25)


def ran(pace: Pace, seconds: float, from_s: float, until_s: float, rows: int = 1) -> Pace:
    """One unit after the other."""
    now_s = from_s
    while now_s < until_s:
        now_s += max(seconds, 0.2)
        pace.add(seconds, rows, now_s - seconds, now_s)
        pace.settle(now_s)
    return pace


def usual(seconds: float = 0.02, rows: int = 1) -> Pace:
    pace = ran(Pace(BOUNDS), seconds, 0.0, 60.0, rows)
    assert pace.is_known
    return pace


def test_an_engine_far_above_its_usual_is_slow_within_seconds() -> None:
    pace, now_s = usual(), 60.0
    while not pace.slowness(()):
        now_s += 1.0
        pace.add(1.0, 1, now_s - 1.0, now_s)
        pace.settle(now_s)
    assert now_s - 60.0 <= 8.0
    assert "times its usual" in pace.slowness(())


def test_below_the_floor_nobody_is() -> None:
    assert not ran(usual(0.001), 0.2, 60.0, 80.0).slowness(())


def test_one_unit_or_two_say_nothing() -> None:
    pace = usual()
    for each in range(2):
        pace.add(3.0, 1, 60.0, 60.5 + each)
        pace.settle(60.5 + each)
    assert not pace.slowness(())


def test_a_full_batch_is_no_slow_engine() -> None:
    alone = usual(0.1)
    assert not ran(alone, 0.8, 60.0, 80.0, rows=8).slowness(())
    assert ran(usual(0.1), 0.8, 60.0, 80.0, rows=1).slowness(())


def test_when_peers_slow_down_as_well_it_is_the_machine() -> None:
    pace, peer = ran(usual(), 1.0, 60.0, 70.0), ran(usual(), 0.9, 60.0, 70.0)
    assert pace.slowness(())
    assert not pace.slowness([peer])
    assert pace.slowness([ran(usual(), 0.02, 60.0, 70.0)])


def test_one_that_was_slow_from_the_beginning_is_found_by_its_peers() -> None:
    pace = usual(1.0)
    assert not pace.slowness(())
    assert "times its peers'" in pace.slowness([usual(0.02)])


def test_what_is_slow_does_not_become_what_is_usual() -> None:
    pace = ran(usual(), 1.0, 60.0, 600.0)
    assert pace.slowness(())
    assert not pace.is_paced(1.0)
    assert pace.is_paced(0.02)


def test_time_that_this_process_did_not_run_is_not_held_against_anybody() -> None:
    pace = usual()
    for each in range(8):
        pace.add(5.0, 1, 61.0, 66.0 + each / 4)
    pace.stalled(68.0)
    assert not pace.slowness(())
    for each in range(8):
        pace.add(5.0, 1, 67.9, 69.0 + each)  # it was under way
    assert not pace.slowness(())


@settings(deadline=None)
@given(st.floats(0.0001, 2.0), st.lists(st.floats(0.5, 2.0), min_size=30, max_size=60), st.integers(1, 16))
def test_an_engine_that_stays_within_twice_its_usual_is_never_slow(unit_s: float, jitter: list[float], rows: int) -> None:
    pace, now_s = Pace(BOUNDS), 0.0
    for each in jitter * 3:
        now_s += max(0.3, unit_s * each)
        pace.add(unit_s * each, rows, now_s - unit_s * each, now_s)
        pace.settle(now_s)
        assert not pace.slowness(())


@settings(deadline=None)
@given(st.floats(0.001, 0.05), st.integers(1, 16))
def test_one_that_stays_ten_times_above_floor_and_usual_is_always(unit_s: float, rows: int) -> None:
    pace = ran(Pace(BOUNDS), unit_s, 0.0, 60.0, rows)
    slow_s = 10 * max(unit_s, BOUNDS.floor_s)
    assert ran(pace, slow_s, 60.0, 60.0 + RECENT_S + FEWEST * slow_s, rows).slowness(())
