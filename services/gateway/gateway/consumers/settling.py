"""Which gateway reads the audit records of generations, and for how long: one at a time, under a lease in the books.

The lease saves work and decides nothing: two that read at once can't book anything twice (`audit_batches`). Another takes over within
seconds when the one that reads dies. Books that forgot are noticed while nothing is read, and then everything of the day is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from meshkit.errors import Unavailable
from meshkit.events.health import Health

from gateway import ports
from gateway.consumers.audit_batches import AuditBatches

_LOOK_S = 1.0
_READERS_COMPONENT = "kafka"


class Reader(Protocol):
    """Reads the topic into the sink; `meshkit.events.offsets_in_db`."""

    is_caught_up: bool

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until ``stopping``."""
        ...


class Settling:
    """Books what generations used, while it is this gateway's turn."""

    def __init__(self, books: ports.TokenBooks, batches: AuditBatches, reader: Callable[[], Reader], health: Health) -> None:
        self._books, self._batches, self._reader, self._health = books, batches, reader, health

    async def run(self, stopping: asyncio.Event) -> None:
        """Do it until ``stopping``. Whatever is down is waited for."""
        while not stopping.is_set():
            with suppress(Unavailable):
                if await self._books.leads():
                    await self._lead(stopping)
            await _waited(stopping)
        with suppress(Unavailable):
            await self._books.resigns()

    async def _lead(self, stopping: asyncio.Event) -> None:
        reader, stop = self._reader(), asyncio.Event()
        work = asyncio.create_task(reader.run(stop), name="audit records of generations")
        try:
            while not stopping.is_set() and not work.done() and await self._books.leads() and await self._stands(reader):
                await _waited(stopping)
        finally:
            stop.set()
            await work  # raises what ended it: the process must end and start again
            self._health.recovered(_READERS_COMPONENT)

    async def _stands(self, reader: Reader) -> bool:
        """Look whether the books still are where they were left, and say that they are whole when all was read."""
        if not reader.is_caught_up:
            return True
        place = await self._batches.place()
        if place is not None:
            await self._books.are_whole(place)
        return place is not None


async def _waited(stopping: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), _LOOK_S)
