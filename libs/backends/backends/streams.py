"""What one answer brought and its reader has not taken yet, bounded.

Surprising: tokens that wait are one message, so a reader that comes late gets few large ones; and a full buffer is the reader's end,
not the engine's: nothing here ever waits for a reader. What comes at once, faster than anybody could read, is no fault of the reader's.
"""

from __future__ import annotations

import asyncio
from collections import deque

from finmesh.inference.v1.decode_service_pb2 import Tokens
from finmesh.inference.v1.generation_pb2 import Token, UsageFacts
from meshkit.errors import MeshError

from backends.port import DecodeEvent
from backends.refusals import too_slow

PATIENCE_S = 0.1


class Stream:
    """No more than ``most_tokens`` wait for longer than `PATIENCE_S`. One reader."""

    def __init__(self, most_tokens: int) -> None:
        self._most = most_tokens
        self._clock = asyncio.get_running_loop().time
        self._read_s = self._clock()
        self._waiting: deque[DecodeEvent] = deque()
        self._tokens = 0
        self._error: MeshError | None = None
        self._arrived = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes in."""
        return self._over.is_set()

    def put(self, event: DecodeEvent) -> None:
        """Take what is no token; UsageFacts are the end."""
        if self.is_over:
            return
        self._waiting.append(event)
        self._arrived.set()
        if isinstance(event, UsageFacts):
            self._over.set()

    def put_tokens(self, tokens: list[Token]) -> bool:
        """Take tokens. False when there is no room: the stream has failed, and its answer has to be ended."""
        if self.is_over:
            return True
        if not self._waiting:
            self._read_s = self._clock()
        self._tokens += len(tokens)
        if self._tokens > self._most and self._clock() - self._read_s > PATIENCE_S:
            self.fail(too_slow())
            return False
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, Tokens):
            last.tokens.extend(tokens)
        else:
            self._waiting.append(Tokens(tokens=tokens))
            self._arrived.set()
        return True

    def fail(self, error: MeshError) -> None:
        """End it: the reader gets the error next, and nothing of what waits."""
        if not self.is_over:
            self._error = error
            self._waiting.clear()
            self._over.set()
            self._arrived.set()

    async def next(self, hold_s: float = 0.0) -> DecodeEvent:
        """Return what comes next. ``hold_s``: let tokens gather for so long first, unless all is said. Raises what it failed with."""
        if hold_s > 0 and not self.is_over:
            try:
                async with asyncio.timeout(hold_s):
                    await self._over.wait()
            except TimeoutError:
                pass
        await self._arrived.wait()
        if self._error is not None:
            raise self._error
        event, self._read_s = self._waiting.popleft(), self._clock()
        if isinstance(event, Tokens):
            self._tokens -= len(event.tokens)
        if not self._waiting:
            self._arrived.clear()
        return event
