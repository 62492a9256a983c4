"""What became of versions, from the change log to the event log: every change once at least, in order.

The position stands in the ledger, under a topic's name like those of topics that are read.
"""

from __future__ import annotations

import asyncio

from meshkit.errors import Unavailable
from meshkit.events.offsets_in_db import Position

from rag import ports

_POSITION = "announced"
_BATCH = 200
_IDLE_S = 0.5
_AWAY_S = 2.0


class Announcements:
    """Runs beside the leader; several at once only repeat one another."""

    def __init__(self, library: ports.Library, positions: ports.Positions, announcer: ports.Announcer) -> None:
        self._library, self._positions, self._announcer = library, positions, announcer

    async def run(self) -> None:
        """Announce for ever."""
        while True:
            try:
                told = await self._tell()
            except Unavailable:
                await asyncio.sleep(_AWAY_S)
                continue
            if not told:
                await asyncio.sleep(_IDLE_S)

    async def _tell(self) -> int:
        known = (await self._positions.positions(_POSITION)).get(0, Position(0, "", 0))
        changes = await self._library.changes(known.next_offset, _BATCH)
        if changes:
            await self._announcer.announce([(change, await self._library.version_of(change.version_id)) for change in changes])
            await self._positions.reached(_POSITION, [Position(0, "", changes[-1].seq)])
        return len(changes)
