"""What calls of both legs have in common: time that is left, failures that count against a worker, waiting for the next of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

from meshkit.breaker import CircuitBreaker
from meshkit.clock import Clock
from meshkit.errors import DeadlineExceeded, MeshError, Unavailable

from router.domain.attempts import Failure, failure_of

_Part = TypeVar("_Part")
MARGIN_S = 0.01
"""What each hop leaves to the one before it."""


class _Bounded(Protocol):
    deadline_s: float


class LegFailed(Exception):
    """A leg failed; what is done about it the table of failures says."""

    def __init__(self, error: MeshError) -> None:
        super().__init__(error.reason)
        self.error = error


def left_s(run: _Bounded, clock: Clock, limit_s: float) -> float:
    """Return how long a call may take. Raises DeadlineExceeded (DEADLINE_TOO_NEAR)."""
    left = min(limit_s, run.deadline_s - clock.monotonic_s() - MARGIN_S)
    if left <= 0:
        raise DeadlineExceeded("too little time is left to finish", reason="DEADLINE_TOO_NEAR")
    return left


def of_caller(error: MeshError, run: _Bounded, clock: Clock) -> MeshError:
    """Return what an error of a leg is when it is the caller's own time that was over: nothing of the worker's."""
    if isinstance(error, DeadlineExceeded) and run.deadline_s - clock.monotonic_s() <= 2 * MARGIN_S:
        return DeadlineExceeded("the deadline is over", reason="DEADLINE_TOO_NEAR")
    return error


@contextmanager
def counted(breaker: CircuitBreaker, run: _Bounded, clock: Clock) -> Iterator[None]:
    """Run a call inside a breaker that counts what is this worker's own failure, and nothing else."""
    not_its_own: MeshError | None = None
    with breaker.guard():
        try:
            yield
        except MeshError as caught:
            error = of_caller(caught, run, clock)
            if failure_of(error) is Failure.DOWN:
                raise _down(error) from caught
            if isinstance(error, DeadlineExceeded):
                raise error from caught
            not_its_own = error
    if not_its_own is not None:
        raise not_its_own


def count(breaker: CircuitBreaker, error: MeshError) -> None:
    """Have a breaker count what went wrong after its call had begun well."""
    if failure_of(error) is Failure.DOWN:
        with suppress(MeshError), breaker.guard():
            raise _down(error)


def _down(error: MeshError) -> MeshError:
    """What a breaker counts is Unavailable or DeadlineExceeded; an internal error is a failure of the worker, too."""
    return error if isinstance(error, Unavailable | DeadlineExceeded) else Unavailable(error.message, reason=error.reason)


async def next_part(stream: AsyncGenerator[_Part, None], wait_s: float, reason: str) -> _Part | None:
    """Return the next part of a stream, None at its end. Raises DeadlineExceeded with ``reason`` when none comes in time."""
    try:
        async with asyncio.timeout(wait_s) as scope:
            return await anext(stream, None)
    except TimeoutError:
        if not scope.expired():
            raise
        raise DeadlineExceeded(f"the worker sent nothing for {wait_s:g} s", reason=reason) from None
