"""Whose turn it is."""

import random

import pytest
from meshkit.errors import Overloaded, QuotaExceeded
from router.domain.queue import Queue, Waiting


def waiting(band: int = 5, deadline_s: float = 100.0, tenant: str = "bank-a", until_s: float = 50.0) -> Waiting:
    return Waiting(tenant, band, deadline_s, until_s)


def drained(queue: Queue) -> list[Waiting]:
    order = []
    while (first := queue.first()) is not None:
        order.append(first)
        queue.remove(first)
    return order


def test_higher_bands_first_then_the_earliest_deadline_then_who_came_first() -> None:
    queue = Queue(100, tenant_share=1.0)
    late, early, same, urgent = waiting(deadline_s=9), waiting(deadline_s=1), waiting(deadline_s=1), waiting(band=9, deadline_s=99)
    for each in (late, early, same, urgent):
        queue.push(each)
    assert drained(queue) == [urgent, early, same, late]


def test_any_order_of_coming_and_going_keeps_the_rule() -> None:
    rng = random.Random(7)
    queue, here = Queue(500, tenant_share=1.0), list[Waiting]()
    for _ in range(2000):
        if here and rng.random() < 0.45:
            gone = here.pop(rng.randrange(len(here)))
            queue.remove(gone)
        elif len(here) < 400:
            here.append(waiting(rng.randrange(10), rng.random()))
            queue.push(here[-1])
        assert queue.first() is min(here, key=lambda each: (-each.band, each.deadline_s), default=None)
    assert len(queue) == len(here)
    assert drained(queue) == sorted(here, key=lambda each: (-each.band, each.deadline_s))


def test_full_is_a_lack_of_capacity_and_no_quota() -> None:
    queue = Queue(2, tenant_share=1.0)
    queue.push(waiting())
    queue.push(waiting())
    with pytest.raises(Overloaded) as refused:
        queue.push(waiting())
    assert refused.value.reason == "OVERLOADED"
    assert refused.value.retry_after_s
    assert not isinstance(refused.value, QuotaExceeded)


def test_a_higher_band_takes_the_place_of_the_last_in_the_lowest() -> None:
    queue = Queue(3, tenant_share=1.0)
    low_early, low_late, high = waiting(1, 1), waiting(1, 2), waiting(7, 99)
    for each in (low_early, low_late, high):
        queue.push(each)
    urgent = waiting(8, 99)
    assert queue.push(urgent) is low_late
    assert drained(queue) == [urgent, high, low_early]


def test_a_tenant_has_its_share_of_the_places() -> None:
    queue = Queue(4)
    queue.push(waiting())
    gone = waiting()
    queue.push(gone)
    with pytest.raises(Overloaded):
        queue.push(waiting())
    queue.push(waiting(band=1, tenant="银行-b"))
    urgent = waiting(band=9)
    assert queue.push(urgent) is gone  # its own last, and not the other tenant's, which is in a lower band
    queue.remove(urgent)
    queue.remove(urgent)
    queue.push(waiting())
    assert len(queue) == 3


def test_a_wait_ends_with_its_time_to_live_or_its_deadline() -> None:
    assert waiting(until_s=5).left_s(1) == 4
    assert waiting(deadline_s=4).left_s(1) == 3
    assert waiting(deadline_s=4).left_s(5) < 0


def test_all_that_wait_in_the_order_of_their_turns() -> None:
    queue = Queue(10, tenant_share=1.0)
    late, urgent, early = waiting(deadline_s=9), waiting(band=9), waiting(deadline_s=1)
    for each in (late, urgent, early):
        queue.push(each)
    assert list(queue) == [urgent, early, late]
