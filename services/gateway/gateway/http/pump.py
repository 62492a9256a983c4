"""Takes the parts of a stream on a task of its own, so that whoever waits for one may do something else meanwhile.

No more is asked of the owner than the caller has taken, but for a few parts. A caller that goes away ends the owner's work at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from meshkit.errors import Unavailable

_AHEAD = 4


class CallerGone(Unavailable):
    """The caller closed the connection: nobody is told."""

    default_reason = "CANCELLED"


class Idle(Exception):
    """Nothing came in time."""


class Pump:
    """The other end of the task. An empty part is the end."""

    def __init__(self, parts: asyncio.Queue[bytes | BaseException]) -> None:
        self._parts = parts

    async def next(self, wait_s: float | None = None) -> bytes:
        """Return the next part, empty at the end. Raises Idle after ``wait_s``, and what the stream raised."""
        try:
            async with asyncio.timeout(wait_s):
                part = await self._parts.get()
        except TimeoutError:
            raise Idle from None
        if isinstance(part, BaseException):
            raise part
        return part


@asynccontextmanager
async def pumped(parts: AsyncGenerator[bytes, None], gone: Callable[[], Awaitable[object]]) -> AsyncIterator[Pump]:
    """Yield the parts. ``gone`` returns when the caller went away: ``CallerGone`` comes instead of the next one then."""
    queue: asyncio.Queue[bytes | BaseException] = asyncio.Queue(_AHEAD)

    async def take() -> None:
        try:
            async with aclosing(parts) as stream:
                async for part in stream:
                    await queue.put(part)
        except Exception as error:  # raised again where it is waited for
            await queue.put(error)
        else:
            await queue.put(b"")

    async def watch() -> None:
        await gone()
        taking.cancel()
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(CallerGone("the caller went away"))

    taking, watching = asyncio.create_task(take(), name="take parts"), asyncio.create_task(watch(), name="watch the caller")
    try:
        yield Pump(queue)
    finally:
        for task in (watching, taking):
            task.cancel()
        await asyncio.wait({watching, taking})
