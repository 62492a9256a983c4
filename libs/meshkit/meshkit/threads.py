"""Long work on a thread that ends when nobody waits for it any more: at a deadline, a cancelled call, the end of the process.

A thread can't be stopped from outside, and the process waits for it at its end. So the work is handed a ``look`` that it calls between
slices; from the moment the waiting coroutine is gone, ``look`` raises Ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")
Look = Callable[[], None]


class Ended(BaseException):
    """Nobody waits for the work. Not an Exception, so that no handler takes it for a failure of the work itself."""


async def on_thread(work: Callable[[Look], _Result]) -> _Result:
    """Return what ``work`` returns; errors are those of ``work``."""
    ended = threading.Event()

    def look() -> None:
        if ended.is_set():
            raise Ended

    try:
        return await asyncio.to_thread(work, look)
    finally:
        ended.set()
