"""Takes the parts of streams on tasks of their own, so that whoever waits for one may do something else meanwhile.

No more is asked of the owner than the caller has taken, but for a few parts. A caller that goes away ends the owner's work at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

from meshkit.errors import Unavailable

_AHEAD = 4


class CallerGone(Unavailable):
    """The caller closed the connection: nobody is told."""

    default_reason = "CANCELLED"


class Idle(Exception):
    """Nothing came in time."""


class Part(NamedTuple):
    """A part, and of which stream it is."""

    content: bytes
    stream: int


class Pump:
    """Streams of one request. The first that fails ends it."""

    def __init__(self) -> None:
        self._parts: asyncio.Queue[Part | BaseException | None] = asyncio.Queue(_AHEAD)
        self._taking: list[asyncio.Task[None]] = []
        self._running = 0

    def add(self, parts: AsyncGenerator[bytes, None]) -> None:
        """Take one more stream, while another still runs or before the first one."""
        self._running += 1
        self._taking.append(asyncio.create_task(self._take(len(self._taking), parts), name="take parts"))

    async def next(self, wait_s: float | None = None) -> Part | None:
        """Return the next part, None at the end of all streams. Raises Idle after ``wait_s``, and what a stream raised."""
        try:
            async with asyncio.timeout(wait_s):
                part = await self._parts.get()
        except TimeoutError:
            raise Idle from None
        if isinstance(part, BaseException):
            raise part
        return part

    async def _take(self, number: int, parts: AsyncGenerator[bytes, None]) -> None:
        try:
            async with aclosing(parts) as stream:
                async for content in stream:
                    await self._parts.put(Part(content, number))
        except Exception as error:  # raised again where it is waited for
            await self._parts.put(error)
            return
        self._running -= 1
        if not self._running:
            await self._parts.put(None)

    async def watch(self, gone: Callable[[], Awaitable[object]]) -> None:
        """End all when the caller goes away."""
        await gone()
        for task in self._taking:
            task.cancel()
        while not self._parts.empty():
            self._parts.get_nowait()
        self._parts.put_nowait(CallerGone("the caller went away"))

    async def close(self) -> None:
        """End all."""
        for task in self._taking:
            task.cancel()
        if self._taking:
            await asyncio.wait(self._taking)


@asynccontextmanager
async def pumping(gone: Callable[[], Awaitable[object]]) -> AsyncIterator[Pump]:
    """Yield a pump. ``gone`` returns when the caller went away: ``CallerGone`` comes instead of the next part then."""
    pump = Pump()
    watching = asyncio.create_task(pump.watch(gone), name="watch the caller")
    try:
        yield pump
    finally:
        watching.cancel()
        await pump.close()
        await asyncio.wait({watching})
