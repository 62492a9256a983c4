"""The pool's history: once each, bounded, gaps counted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from router.domain.pool_history import PoolHistory, StateChange


def change(number: int, worker: str = "w", instance: str = "i") -> StateChange:
    return StateChange(worker, ("s", instance), number, f"{worker} {instance} {number}".encode())


def test_each_change_counts_once_however_often_it_is_told() -> None:
    history = PoolHistory()
    assert [history.take(change(each)) for each in (1, 1, 2, 1, 2, 3)] == [True, False, True, False, False, True]
    assert [each.number for each in history.newest(10)] == [1, 2, 3]
    assert history.take(change(1, instance="another"))
    assert history.take(change(1, worker="解码"))


def test_numbers_that_were_passed_over_are_counted() -> None:
    history = PoolHistory()
    for each in (5, 6, 9):
        history.take(change(each))
    assert history.missed == 2


def test_the_newest_are_kept() -> None:
    history = PoolHistory(most=3)
    for each in range(1, 9):
        history.take(change(each))
    assert [each.number for each in history.newest(10)] == [6, 7, 8]
    assert [each.number for each in history.newest(2)] == [7, 8]
    assert history.newest(0) == []
    assert not history.take(change(1))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=60))
def test_an_order_with_repetitions_is_the_order_without(told: list[tuple[str, int]]) -> None:
    """Each of ``told`` is the next change of a worker, and how often what was told of it last is told again behind it."""
    numbers: dict[str, int] = {}
    plain, repeated = PoolHistory(), PoolHistory()
    for worker, times in told:
        numbers[worker] = numbers.get(worker, 0) + 1
        for history, count in ((plain, 1), (repeated, 1 + times)):
            for _ in range(count):
                history.take(change(numbers[worker], worker))
    assert plain.newest(100) == repeated.newest(100)
    assert repeated.missed == 0
