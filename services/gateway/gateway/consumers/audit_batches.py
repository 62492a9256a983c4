"""Audit records of generations: a sink of `meshkit.events.offsets_in_db` whose database is the books of tokens in Redis.

Use and position are written by one script that knows where the reader stood, so nothing counts twice and nothing is left out: also when
Redis lost its last second, or everything, under a reader that went on. Batches of other producers are passed over by their key, unparsed.
What is no batch is the audit log's matter, which makes a leaf of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.errors import MeshError, Unavailable
from meshkit.events.message import Record
from meshkit.events.offsets_in_db import Loss, Position
from meshkit.events.poison import NO_POISON, Poison, place_of

from gateway.domain.token_use import Place, TokenUse
from gateway.translate import token_uses
from gateway.usecases.on_audit_batch import OnAuditBatch

TOPIC = AUDIT_TOPIC
PRODUCER = b"router/"


class AuditBatches:
    """Books uses."""

    def __init__(self, on_batch: OnAuditBatch) -> None:
        self._on_batch = on_batch
        self._topic = ""
        self._stood: dict[str, str] = {}  # where Redis said, or was told, that we stand
        self._storing = asyncio.Lock()

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each partition goes on. Raises Unavailable."""
        async with self._storing:
            self._topic, self._stood = topic, dict(await self._on_batch.places())
        found = {}
        for source, at in self._stood.items():
            name, _, partition = source.rpartition(":")
            if name == topic:
                incarnation, _, offset = at.rpartition("@")
                found[int(partition)] = Position(int(partition), incarnation, int(offset))
        return found

    async def place(self) -> Place | None:
        """Return a place at which we stand; None when the books stand elsewhere. Raises Unavailable."""
        async with self._storing:
            if not self._stood or await self._on_batch.places() != self._stood:
                return None
            return Place(*next(iter(self._stood.items())))

    def read(self, record: Record) -> bool:
        """Say whether a record can be read; raises what our code raises on it."""
        try:
            self._uses(record)
        except MeshError:
            return False
        return True

    async def store(
        self, records: Sequence[Record], losses: Sequence[Loss], positions: Sequence[Position], poison: Poison = NO_POISON
    ) -> None:
        """Book the records of each partition together with its new position. Raises Unavailable."""
        del losses  # the audit log is what proves gaps
        async with self._storing:
            for position in positions:
                mine = (record for record in records if record.partition == position.partition and place_of(record) not in poison)
                uses = [use for record in mine for use in self._readable(record)]
                source, after = f"{self._topic}:{position.partition}", f"{position.incarnation}@{position.next_offset}"
                if not await self._on_batch(Place(source, self._stood.get(source, "")), after, uses):
                    raise Unavailable("the books stand elsewhere: Redis forgot, or another gateway reads on", reason="BOOKS_MOVED")
                self._stood[source] = after

    def _readable(self, record: Record) -> Sequence[TokenUse]:
        try:
            return self._uses(record)
        except MeshError:
            return ()

    def _uses(self, record: Record) -> Sequence[TokenUse]:
        if record.value is None or not (record.key or b"").startswith(PRODUCER):
            return ()
        return token_uses(record.value)
