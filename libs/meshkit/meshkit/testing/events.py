"""An event log in memory, in place of a ``Publisher``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from meshkit.errors import Unavailable
from meshkit.events.message import Message


class MemoryEvents:
    """Every topic has four partitions. ``down`` refuses everything; ``acknowledges`` cleared: nothing is acknowledged until it is set."""

    def __init__(self, *_: object) -> None:
        self.messages: list[Message] = []
        self.down = False
        self.acknowledges = asyncio.Event()
        self.acknowledges.set()

    async def aclose(self) -> None:
        """Nothing to close."""

    async def partitions(self, topic: str) -> int:
        """Return four."""
        self._check()
        return 4

    async def send(self, messages: Iterable[Message]) -> list[asyncio.Future[Any]]:
        """Take messages."""
        self._check()
        taken = list(messages)
        self.messages += taken
        return [asyncio.ensure_future(self._acknowledged()) for _ in taken]

    async def write(self, messages: Iterable[Message]) -> None:
        """Take messages and wait."""
        await asyncio.gather(*await self.send(messages))

    async def _acknowledged(self) -> Any:
        await self.acknowledges.wait()
        return SimpleNamespace(offset=len(self.messages))

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the event log does not answer", reason="EVENT_LOG_DOWN")
