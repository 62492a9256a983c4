"""What became of versions, from the change log to the audit log and to banks: every change once at least, in order.

A version that was made visible has its audit record before anybody is told. Whoever reads records twice knows them by their sequence.

The position stands in the ledger, under a topic's name like those of topics that are read.
"""

from __future__ import annotations

import asyncio

from meshkit.clock import Clock
from meshkit.errors import Unavailable
from meshkit.events.offsets_in_db import Position

from rag import ports
from rag.domain.caller import Caller
from rag.domain.document import ChangeKind, Version
from rag.domain.evidence import ChangeAct, Changed
from rag.steps.evidence import Evidence

_POSITION = "announced"
_BATCH = 200
_IDLE_S = 0.5
_AWAY_S = 2.0


class Announcements:
    """Runs beside the leader; a former one that has not noticed yet only repeats."""

    def __init__(
        self, library: ports.Library, positions: ports.Positions, announcer: ports.Announcer, evidence: Evidence, clock: Clock
    ) -> None:
        self._library, self._positions, self._announcer = library, positions, announcer
        self._evidence, self._clock = evidence, clock

    async def run(self) -> None:
        """Announce for ever."""
        while True:
            try:
                told = await self.once()
            except Unavailable:
                await asyncio.sleep(_AWAY_S)
                continue
            if not told:
                await asyncio.sleep(_IDLE_S)

    async def once(self) -> int:
        """Announce what happened since the last time, so many at most; return how many. Raises Unavailable."""
        known = (await self._positions.positions(_POSITION)).get(0, Position(0, "", 0))
        changes = await self._library.changes(known.next_offset, _BATCH)
        if changes:
            told = [(change, await self._library.version_of(change.version_id)) for change in changes]
            for change, version in told:
                if change.kind is ChangeKind.PUBLISHED and change.seq <= version.from_seq:  # later: it demands more of readers now
                    await self._evidence.changed(self._published(version))
            await self._announcer.announce(told)
            await self._positions.reached(_POSITION, [Position(0, "", changes[-1].seq)])
        return len(changes)

    def _published(self, version: Version) -> Changed:
        handed_in = version.submission
        return Changed(
            act=ChangeAct.PUBLISH,
            caller=Caller(handed_in.tenant, handed_in.submitted_by),
            at_us=int(self._clock.now_s() * 1_000_000),
            document_id=handed_in.document_id,
            source_version=handed_in.source_version,
            content_sha256=handed_in.content_sha256,
            sequence=version.from_seq,
            state=version.state,
            grade=handed_in.declared_grade,
        )
