"""A sustained rate leaves starting up and running dry out."""

import asyncio
import math

import pytest
from meshkit.clock import FakeClock

from bench.rate import Sample, sustained, watched


def samples(*pairs: tuple[float, int]) -> list[Sample]:
    return [Sample(at_s, count) for at_s, count in pairs]


def test_waiting_before_the_first_progress_is_not_counted() -> None:
    assert sustained(samples((0, 0), (5, 0), (6, 100), (7, 200), (8, 300)), 1_000) == 100


def test_the_last_sample_may_have_run_dry_and_is_left_out() -> None:
    assert sustained(samples((0, 0), (1, 100), (2, 200), (3, 300), (9, 400)), 400) == 100


def test_a_tiny_run_uses_all_its_progress() -> None:
    assert sustained(samples((0, 0), (1, 50), (2, 100)), 100) == 50
    assert sustained(samples((0, 0), (2, 100)), 100) == 50


def test_no_interval_is_no_rate() -> None:
    assert math.isnan(sustained(samples((0, 0)), 10))


async def test_watching_ends_when_everything_is_done() -> None:
    clock, counts = FakeClock(), iter([0, 0, 5, 10])

    async def count() -> int:
        clock.advance(1)
        return next(counts)

    seen = await watched(count, 10, 100, clock, every_s=0)
    assert [sample.count for sample in seen] == [0, 0, 5, 10]


async def test_watching_ends_so_long_after_the_first_progress() -> None:
    clock, counts = FakeClock(), iter(range(1_000))

    async def count() -> int:
        clock.advance(1)
        return next(counts)

    seen = await watched(count, 10_000, 5, clock, every_s=0)
    assert seen[-1].at_s - seen[1].at_s == pytest.approx(5)


async def test_what_is_done_already_is_no_error() -> None:
    async def count() -> int:
        return 10

    assert [sample.count for sample in await watched(count, 10, 5, FakeClock(), every_s=0)] == [10]


async def test_a_counter_that_never_moves_is_an_error() -> None:
    clock = FakeClock()

    async def count() -> int:
        clock.advance(1)
        return 7

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watched(count, 10, 5, clock, every_s=0), 10)
