"""Calls that share a batch share its round trips, and nothing else: no deadline, no error of admission, no identity."""

import asyncio

import pytest
from meshkit.errors import Overloaded, Unavailable
from risk_scoring.steps import coalesce
from risk_scoring.steps.coalesce import Coalescer

from tests.protocol.makers import payment, request


class Work:
    """Decides when it is told to; remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.remaining_s: list[float] = []
        self.go_on = asyncio.Event()

    async def __call__(self, requests, remaining_s):
        self.batches.append([each.decision_id for each in requests])
        self.remaining_s.append(remaining_s)
        await self.go_on.wait()
        return list(requests)


def call(coalescer: Coalescer, number: int, remaining_s: float = 5.0) -> asyncio.Task:
    """One waiting call."""
    return asyncio.create_task(coalescer.submit(request(payment(number)), remaining_s))


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def busy(work: Work, coalescer: Coalescer) -> list[asyncio.Task]:
    """Fill all places."""
    calls = [call(coalescer, 900 + n) for n in range(coalesce._PLACES)]
    await turns()
    assert len(work.batches) == coalesce._PLACES
    return calls


async def test_a_call_in_a_hurry_does_not_hurry_the_others() -> None:
    """Their batch would be decided by rules alone for its sake, and decisions stay."""
    work = Work()
    coalescer = Coalescer(work, 64)
    calls = await busy(work, coalescer)
    calls += [call(coalescer, 1), call(coalescer, 2, remaining_s=0.05), call(coalescer, 3), call(coalescer, 4, remaining_s=0.06)]
    await turns()
    work.go_on.set()
    await asyncio.gather(*calls)
    batches = [len(batch) for batch in work.batches[2:]]
    assert batches == [2, 2]
    assert min(work.remaining_s[2], work.remaining_s[3]) < 0.06 and max(work.remaining_s[2], work.remaining_s[3]) > 4


async def test_a_batch_has_its_nearest_deadline() -> None:
    work = Work()
    coalescer = Coalescer(work, 64)
    calls = [*(await busy(work, coalescer)), call(coalescer, 1, 9.0), call(coalescer, 2, 3.0)]
    await turns()
    work.go_on.set()
    await asyncio.gather(*calls)
    assert work.remaining_s[2] == pytest.approx(3.0, abs=0.5)


async def test_a_batch_has_an_upper_size() -> None:
    work = Work()
    coalescer = Coalescer(work, 3)
    calls = [*(await busy(work, coalescer)), *(call(coalescer, n) for n in range(7))]
    await turns()
    work.go_on.set()
    answers = await asyncio.gather(*calls)
    assert [len(batch) for batch in work.batches[2:]] == [3, 3, 1]
    assert [answer.decision_id for answer in answers[2:]] == [request(payment(n)).decision_id for n in range(7)]


async def test_a_caller_that_left_is_not_decided() -> None:
    work = Work()
    coalescer = Coalescer(work, 64)
    calls = await busy(work, coalescer)
    left, stays = call(coalescer, 1), call(coalescer, 2)
    await turns()
    left.cancel()
    await turns()
    work.go_on.set()
    await asyncio.gather(*calls, stays)
    assert work.batches[2] == [request(payment(2)).decision_id]


async def test_an_error_reaches_everybody_in_the_batch_and_nobody_else() -> None:
    failing = True

    async def work(requests, remaining_s):
        if failing:
            raise Unavailable("gone")
        return list(requests)

    coalescer = Coalescer(work, 64)
    answers = await asyncio.gather(call(coalescer, 1), call(coalescer, 2), call(coalescer, 3), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    failing = False
    assert (await call(coalescer, 4)).decision_id == request(payment(4)).decision_id


async def test_too_many_calls() -> None:
    work = Work()
    coalescer = Coalescer(work, 1)
    waiting = [call(coalescer, n) for n in range(coalesce._PLACES + coalesce._MAX_WAITING)]
    await turns()
    with pytest.raises(Overloaded) as refused:
        await coalescer.submit(request(payment(1)), 1.0)
    assert refused.value.retry_after_s
    for task in waiting:
        task.cancel()
    work.go_on.set()
    await asyncio.gather(*waiting, return_exceptions=True)
