"""How whoever waits for a neighbour waits: longer each time, up to a second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)


def end_if_cancelled() -> None:
    """Raise CancelledError when this task is to end and its CancelledError was lost: a worker that went on would keep its group waiting.

    It gets lost in two ways. Inside a transaction it makes aiokafka abort, and when that fails (the producer was fenced meanwhile) a
    KafkaError comes in its place. And Python 3.11's ``asyncio.wait_for``, in whatever client a handler uses, returns its result
    when the cancellation comes right after it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def pause(attempt: int, backoff_s: Sequence[float] = _BACKOFF_S) -> int:
    """Sleep before the next attempt; returns its number. Raises CancelledError when this task is to end."""
    end_if_cancelled()
    await asyncio.sleep(backoff_s[min(attempt, len(backoff_s) - 1)])
    return attempt + 1
