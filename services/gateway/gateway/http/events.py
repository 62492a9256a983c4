"""Server-sent events of one answer. What fails before the first one is told by its status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from meshkit.errors import Unavailable

from gateway.http.calls import Exchange, Headers
from gateway.http.pump import Idle, Part, Pump
from gateway.openai.answers import DONE

_KEEPALIVE = b": keep-alive\n\n"
_HEADERS: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class Events:
    """Sends a stream. ``begin_s``: until when, on the loop's clock, the status waits for the first event or an error."""

    def __init__(self, exchange: Exchange, headers: Headers, begin_s: float, keepalive_s: float) -> None:
        self._exchange, self._headers, self._begin_s, self._keepalive_s = exchange, [*headers, *_HEADERS], begin_s, keepalive_s

    async def send(self, pump: Pump, first: Part | None, take: Callable[[Part], Iterable[bytes]], is_whole: Callable[[], bool]) -> None:
        """Send what ``take`` makes of what comes, to the end. Raises Unavailable when that is not the whole answer."""
        part = first or await self._next(pump)
        while part is not None:
            for event in take(part):
                await self._write(event)
            part = await self._next(pump)
        if not is_whole():
            raise Unavailable("the answer broke off", reason="STREAM_BROKEN")
        await self._exchange.write(DONE, last=True)

    async def _next(self, pump: Pump) -> Part | None:
        while True:
            try:
                return await pump.next(self._wait_s())
            except Idle:
                await self._write(_KEEPALIVE)

    def _wait_s(self) -> float:
        return self._keepalive_s if self._exchange.has_begun else max(0.0, self._begin_s - asyncio.get_running_loop().time())

    async def _write(self, content: bytes) -> None:
        if not self._exchange.has_begun:
            await self._exchange.begin(200, self._headers)
        await self._exchange.write(content)
