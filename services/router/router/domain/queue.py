"""Requests that wait for a worker: higher bands first, inside a band the earliest deadline first.

Bounded: when it is full, a newcomer takes the place of the last in the lowest band if its own band is higher, else it is refused. One
tenant holds at most its share of the places, so that nobody is crowded out; beyond it, its requests compete among themselves. Refusals are
OVERLOADED, which is capacity; quotas are the gateway's and are called otherwise. A wait has an end of its own, its scenario's time to live.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from meshkit.errors import Overloaded

RETRY_AFTER_S = 1.0


@dataclass(slots=True, eq=False)
class Waiting:
    """One that waits. Times are monotonic seconds; ``band`` 0 to 9, higher goes first."""

    tenant: str
    band: int
    deadline_s: float
    until_s: float
    """When its time to live in the queue is over."""

    def left_s(self, now_s: float) -> float:
        """Return how long it may still wait."""
        return min(self.until_s, self.deadline_s) - now_s


_Key = tuple[int, float, int]


class Queue:
    """Nothing in it waits: whoever owns it wakes those whose turn it is."""

    def __init__(self, limit: int, tenant_share: float = 0.5) -> None:
        self._limit = limit
        self._of_one = max(1, int(limit * tenant_share))
        self._numbers = count()
        self._heap: list[tuple[_Key, Waiting]] = []
        self._keys: dict[Waiting, _Key] = {}
        self._tenants: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._keys)

    def push(self, waiting: Waiting) -> Waiting | None:
        """Let one wait; returns whoever lost its place to it. Raises Overloaded (OVERLOADED)."""
        lost = None
        if (own := self._tenants[waiting.tenant] >= self._of_one) or len(self._keys) >= self._limit:
            rivals = (each for each in self._keys if not own or each.tenant == waiting.tenant)
            lost = max(rivals, key=self._keys.__getitem__, default=None)
            if lost is None or lost.band >= waiting.band:
                raise overloaded("too many requests wait already")
            self.remove(lost)
        key = (-waiting.band, waiting.deadline_s, next(self._numbers))
        self._keys[waiting] = key
        self._tenants[waiting.tenant] += 1
        heapq.heappush(self._heap, (key, waiting))
        return lost

    def first(self) -> Waiting | None:
        """Return whose turn it is."""
        while self._heap and self._heap[0][1] not in self._keys:
            heapq.heappop(self._heap)
        return self._heap[0][1] if self._heap else None

    def remove(self, waiting: Waiting) -> None:
        """Let one go; harmless when it has gone."""
        if self._keys.pop(waiting, None) is None:
            return
        self._tenants[waiting.tenant] -= 1
        if not self._tenants[waiting.tenant]:
            del self._tenants[waiting.tenant]
        if len(self._heap) > 2 * len(self._keys) + 16:
            self._heap = [(key, each) for each, key in self._keys.items()]
            heapq.heapify(self._heap)

    def __iter__(self) -> Iterator[Waiting]:
        """Iterate over all that wait, in the order of their turns."""
        return iter(sorted(self._keys, key=self._keys.__getitem__))


def overloaded(why: str) -> Overloaded:
    """Return the error of a lack of capacity."""
    return Overloaded(why, reason="OVERLOADED", retry_after_s=RETRY_AFTER_S)


def queue_expired() -> Overloaded:
    """Return the error of a wait that took too long."""
    return Overloaded("no worker was free in time", reason="QUEUE_EXPIRED", retry_after_s=RETRY_AFTER_S)
