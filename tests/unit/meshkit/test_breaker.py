"""Closed, open, half-open."""

import asyncio

import pytest
from meshkit.breaker import CircuitBreaker, State
from meshkit.clock import FakeClock
from meshkit.errors import DeadlineExceeded, InvalidArgument, MeshError, Unavailable


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, open_s=2.0, clock=clock)


def fail(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    error = error or Unavailable("down")
    with pytest.raises(type(error)), breaker.guard():
        raise error


def work(breaker: CircuitBreaker) -> None:
    with breaker.guard():
        pass


def test_it_opens_after_failures_in_a_row_and_refuses_with_the_time_left(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker)
    fail(breaker, DeadlineExceeded("slow"))
    assert breaker.state is State.CLOSED
    fail(breaker)
    assert breaker.state is State.OPEN
    clock.advance(0.5)
    with pytest.raises(Unavailable) as caught, breaker.guard():
        raise AssertionError("the call was made")
    assert (caught.value.reason, caught.value.retry_after_s) == ("CIRCUIT_OPEN", 1.5)


def test_a_success_in_between_starts_the_count_anew(breaker: CircuitBreaker) -> None:
    fail(breaker)
    fail(breaker)
    work(breaker)
    fail(breaker)
    fail(breaker)
    assert breaker.state is State.CLOSED


def test_one_probe_closes_it(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(2.0)
    assert breaker.state is State.HALF_OPEN
    work(breaker)
    assert breaker.state is State.CLOSED


def test_a_failing_probe_opens_it_again(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(2.0)
    fail(breaker)
    assert breaker.state is State.OPEN
    clock.advance(1.9)
    assert breaker.state is State.OPEN


def test_work_whose_outcome_is_told_later(clock: FakeClock) -> None:
    breaker = CircuitBreaker(failures=1, open_s=2.0, clock=clock)
    assert breaker.may_try() and breaker.may_try()
    breaker.failed()
    assert not breaker.may_try()
    clock.advance(2.0)
    assert breaker.may_try()
    assert not breaker.may_try(), "one tries"
    clock.advance(2.0)
    assert breaker.may_try(), "whoever tried never told"
    breaker.worked()
    assert breaker.may_try() and breaker.state is State.CLOSED


def test_only_one_probe_at_a_time(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(2.0)
    with breaker.guard():
        fail_fast = pytest.raises(Unavailable)
        with fail_fast as caught, breaker.guard():
            raise AssertionError("a second probe")
        assert caught.value.reason == "CIRCUIT_OPEN"
    assert breaker.state is State.CLOSED


def test_a_cancelled_probe_makes_room_for_the_next(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(2.0)
    fail(breaker, asyncio.CancelledError())
    assert breaker.state is State.HALF_OPEN
    work(breaker)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(
    "error", [InvalidArgument("x"), MeshError("x"), DeadlineExceeded("x", reason="DEADLINE_TOO_NEAR"), asyncio.CancelledError()]
)
def test_what_says_nothing_about_the_other_side_does_not_open_it(breaker: CircuitBreaker, error: BaseException) -> None:
    for _ in range(10):
        fail(breaker, error)
    assert breaker.state is State.CLOSED
