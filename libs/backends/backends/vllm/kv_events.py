"""vLLM's KV events over ZeroMQ: batches in order and without gaps, whatever was missed asked for again.

Surprising:

- The subscriber BINDS: an engine whose endpoint names a host connects to it (only `*`, `::` and ipc bind at the engine).
- A number that was left out is asked for at the engine's ROUTER socket, which keeps its last batches (10,000 by default). What is not kept
  any more is told as "all cleared": nothing is believed that may have been removed meanwhile.
- What is told before the engine has found us is lost without a number that would show it, so we also ask when nothing was told for a while.
- Numbers begin at 0 with each start of the engine; one that goes back is another start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, NamedTuple

import msgpack
import zmq
import zmq.asyncio

REPLAY_S = 5.0
ASK_S = 2
MOST_BYTES = 64 << 20
_END = (-1).to_bytes(8, "big", signed=True)
_logger = logging.getLogger("finmesh.backends")


class _Told(NamedTuple):
    """One batch; ``at_s``: on the engine's clock."""

    seq: int
    at_s: float
    events: list[Any]


class KvSubscriber:
    """``endpoint``: where we bind; ``replay``: the engine's socket for what was missed, empty: there is none."""

    def __init__(self, endpoint: str, replay: str, taken: Callable[[list[Any]], None], cleared: Callable[[], None]) -> None:
        self._endpoint, self._replay = endpoint, replay
        self._taken, self._cleared = taken, cleared
        self._wanted = 0
        self._at_s = 0.0

    async def run(self) -> None:
        """Take what is told until cancelled. Raises OSError when it cannot bind."""
        context = zmq.asyncio.Context()
        socket = context.socket(zmq.SUB)
        try:
            socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
            socket.setsockopt(zmq.LINGER, 0)
            is_bound = not self._endpoint.startswith("ipc://")
            (socket.bind if is_bound else socket.connect)(self._endpoint)
            socket.subscribe(b"")
            await self._catch_up(context)
            while True:
                if not await socket.poll(ASK_S * 1000):
                    await self._catch_up(context)
                elif (told := _told(await socket.recv_multipart())) is not None:
                    await self._take(context, told)
        finally:
            socket.close(linger=0)
            context.destroy(linger=0)

    async def _take(self, context: zmq.asyncio.Context, told: _Told) -> None:
        if told.seq < self._wanted and told.at_s > self._at_s:
            self._lost(0)  # another start: what is told again of this one is older
        if told.seq > self._wanted:
            await self._catch_up(context)
        self._put(told)

    def _put(self, told: _Told) -> None:
        """Take a batch, unless it was taken; what lies before it and is not kept any more is lost."""
        if told.seq > self._wanted:
            self._lost(told.seq)
        if told.seq == self._wanted:
            self._wanted, self._at_s = told.seq + 1, told.at_s
            self._taken(told.events)

    def _lost(self, wanted: int) -> None:
        self._wanted = wanted
        self._cleared()

    async def _catch_up(self, context: zmq.asyncio.Context) -> None:
        """Ask for everything from the wanted number on. When nobody answers, what is told next decides."""
        if not self._replay:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLAY_S):
                async with aclosing(_replayed(context, self._replay, self._wanted)) as replayed:
                    async for told in replayed:
                        self._put(told)
                return
        _logger.warning("an engine does not repeat its KV events", extra={"facts": {"endpoint": self._replay}})


async def _replayed(context: zmq.asyncio.Context, endpoint: str, first: int) -> AsyncGenerator[_Told, None]:
    socket = context.socket(zmq.DEALER)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
        socket.connect(endpoint)
        await socket.send_multipart([b"", first.to_bytes(8, "big")])
        while True:
            frames = await socket.recv_multipart()
            if len(frames) >= 3 and frames[-2] == _END:
                return
            if (told := _told(frames)) is not None:
                yield told
    finally:
        socket.close(linger=0)


def _told(frames: list[bytes]) -> _Told | None:
    """A message: [topic, number, content], a replayed one behind an empty frame. None for what is no such."""
    if len(frames) < 3 or len(frames[-2]) != 8:
        return None
    try:
        content = msgpack.unpackb(frames[-1], raw=False, strict_map_key=False, use_list=True)
    except Exception:
        return None
    if not isinstance(content, list) or len(content) < 2 or not isinstance(content[1], list) or not isinstance(content[0], int | float):
        return None
    return _Told(int.from_bytes(frames[-2], "big"), float(content[0]), content[1])
