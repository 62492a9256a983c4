"""Port Positions: how far topics were read, beside what was enrolled from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshkit.events.offsets_in_db import Position

from rag.adapters.ledger.store import Store


class LedgerPositions:
    """Port Positions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each known partition goes on."""
        ask = "SELECT partition_id, incarnation, next_offset FROM topic_position WHERE topic = ?"
        rows = await self._store.read(lambda connection: connection.query(ask, (topic,)))
        return {partition: Position(partition, incarnation, offset) for partition, incarnation, offset in rows}

    async def reached(self, topic: str, positions: Sequence[Position]) -> None:
        """Keep how far a topic was read."""
        sql = (
            "INSERT INTO topic_position (topic, partition_id, incarnation, next_offset) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (topic, partition_id) DO UPDATE SET incarnation = excluded.incarnation, next_offset = excluded.next_offset"
        )
        rows = [(topic, position.partition, position.incarnation, position.next_offset) for position in positions]
        await self._store.write(lambda connection: connection.executemany(sql, rows))
