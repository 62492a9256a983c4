"""Time as a dependency, so that tests hold it in their hands."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time."""

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that only grow; for durations and deadlines."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_s(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()


class FakeClock:
    """A clock that moves only when told to. Both times move together."""

    def __init__(self, now_s: float = 1_750_000_000.0) -> None:
        self._now_s = now_s
        self._monotonic_s = 1000.0

    def now_s(self) -> float:
        """Return the set wall time."""
        return self._now_s

    def monotonic_s(self) -> float:
        """Return the set monotonic time."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self._now_s += seconds
        self._monotonic_s += seconds


@lru_cache(maxsize=4)
def utc_text(second: int) -> str:
    """Return a Unix second as RFC 3339 in UTC, without its zone: whoever writes many times of one second adds fraction and zone."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]
