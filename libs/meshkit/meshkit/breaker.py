"""A circuit breaker: after some failures in a row calls are refused at once, then one probe decides.

States and names after Nygard, Release It! (2007). It belongs to one event loop; nothing in it waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from meshkit.clock import Clock, SystemClock
from meshkit.errors import DeadlineExceeded, Unavailable


class State(Enum):
    """What the breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Opens after ``failures`` in a row, for ``open_s`` seconds; then lets one call through."""

    def __init__(self, *, failures: int = 3, open_s: float = 0.5, clock: Clock | None = None) -> None:
        self._allowed = failures
        self._open_s = open_s
        self._clock = clock or SystemClock()
        self._failures = 0
        self._opened_s: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """Return the present state."""
        if self._opened_s is None:
            return State.CLOSED
        return State.HALF_OPEN if self._clock.monotonic_s() - self._opened_s >= self._open_s else State.OPEN

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run one call. Unavailable and DeadlineExceeded count as failures; other typed answers show that the other side lives.

        A deadline that the caller had cut short (DEADLINE_TOO_NEAR) and a cancellation count as nothing. Raises Unavailable CIRCUIT_OPEN.
        """
        state = self.state
        if state is State.OPEN or (state is State.HALF_OPEN and self._probing):
            left_s = max(0.0, self._open_s - (self._clock.monotonic_s() - (self._opened_s or 0.0)))
            raise Unavailable("calls are held back for a moment", reason="CIRCUIT_OPEN", retry_after_s=left_s)
        probe = self._probing = state is State.HALF_OPEN
        try:
            yield
        except (Unavailable, DeadlineExceeded) as error:
            if error.reason != "DEADLINE_TOO_NEAR":
                self.failed()
            raise
        except Exception:
            self.worked()
            raise
        else:
            self.worked()
        finally:
            if probe:
                self._probing = False

    def may_try(self) -> bool:
        """Whether to begin work whose outcome ``failed`` or ``worked`` tells later. After a pause one may, and a pause begins anew."""
        if self.state is State.HALF_OPEN and not self._probing:
            self._opened_s = self._clock.monotonic_s()
            return True
        return self.state is State.CLOSED

    def failed(self) -> None:
        """Count a failure."""
        self._failures += 1
        if self._failures >= self._allowed:
            self._opened_s = self._clock.monotonic_s()

    def worked(self) -> None:
        """Close it."""
        self._failures = 0
        self._opened_s = None
