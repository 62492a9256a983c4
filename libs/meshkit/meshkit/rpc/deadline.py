"""Deadlines that travel: each hop takes its caller's deadline less a margin, and refuses work that cannot finish.

gRPC tells a server its caller's deadline but hands it to nobody. The server's middleware puts it into a context variable; the channel
takes it out for outgoing calls. A caller without a deadline, or with one of ten years, gets the method's maximum.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from meshkit.errors import DeadlineExceeded
from meshkit.rpc.chain import UNSCOPED, Call, Scope

_deadline_s: ContextVar[float | None] = ContextVar("finmesh_deadline_s", default=None)  # of time.monotonic()


def remaining_s() -> float | None:
    """Return seconds until the current call's deadline (may be negative); None outside of a call."""
    at = _deadline_s.get()
    return None if at is None else at - time.monotonic()


@contextmanager
def lifted() -> Iterator[None]:
    """Run what must still be done when the call's time is over; outgoing calls then have their own bounds alone."""
    token = _deadline_s.set(None)
    try:
        yield
    finally:
        _deadline_s.reset(token)


def budget_s(limit_s: float, *, margin_s: float = 0.0, min_s: float = 0.0) -> float:
    """Return how long one piece of work may take: ``limit_s`` or what is left of the deadline less ``margin_s``.

    Raises DeadlineExceeded when less than ``min_s`` (or nothing) would be left.
    """
    left = remaining_s()
    budget = limit_s if left is None else min(limit_s, left - margin_s)
    if budget <= min_s:
        raise DeadlineExceeded("too little time is left to finish", reason="DEADLINE_TOO_NEAR")
    return budget


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Bounds per method; keys of ``maximum_s`` are full method paths ``/package.Service/Method``."""

    default_maximum_s: float = 10.0
    margin_s: float = 0.005
    min_s: float = 0.002
    maximum_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def longest_s(self) -> float:
        """Return how long any call may take at most."""
        return max((self.default_maximum_s, *self.maximum_s.values()))

    def effective_s(self, method: str, callers_s: float | None) -> float:
        """Return how long the handler may take. Raises DeadlineExceeded when the caller's deadline is over or too near."""
        maximum = self.maximum_s.get(method, self.default_maximum_s)
        if callers_s is None or not callers_s <= maximum:
            return maximum
        left = callers_s - self.margin_s
        if left < self.min_s:
            raise DeadlineExceeded("too little time is left to finish", reason="DEADLINE_TOO_NEAR")
        return left

    def __call__(self, call: Call) -> Scope:
        """Middleware: bounds the call and publishes its deadline to outgoing calls. Long streams (health, reflection) pass."""
        return _Bounded(self, call) if call.is_ours else UNSCOPED


class _Bounded:
    """``asyncio.timeout`` without its waiting, which costs a call more than the timer: at the deadline the task is cancelled."""

    __slots__ = ("_call", "_cancelling", "_deadlines", "_expired", "_task", "_timer", "_token")

    def __init__(self, deadlines: Deadlines, call: Call) -> None:
        self._deadlines, self._call = deadlines, call
        self._expired = False

    def __enter__(self) -> None:
        seconds = self._deadlines.effective_s(self._call.method, self._call.context.time_remaining())
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)
        self._token: Token[float | None] = _deadline_s.set(time.monotonic() + seconds)

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        _deadline_s.reset(self._token)
        if not self._expired:
            self._timer.cancel()
        elif (self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)) or isinstance(error, TimeoutError):
            raise DeadlineExceeded("the deadline is over") from None
