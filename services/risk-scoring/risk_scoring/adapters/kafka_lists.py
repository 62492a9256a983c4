"""Block lists and trusted payees: a compacted topic, read from its beginning at start and followed from then on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiokafka import ConsumerRecord
from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from meshkit.config import KafkaSettings
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.errors import MeshError, Unavailable
from meshkit.events.message import Message, cloud_event
from meshkit.events.replay import TopicReader

from risk_scoring import translate
from risk_scoring.domain.lists import ListChange, ListSnapshot
from risk_scoring.translate.list_changes import entry_key
from risk_scoring.translate.messages import SOURCE

LIST_TOPIC = "finmesh.risk.v1.ListEntryChanged"
_POLL_S = 0.25
log = logging.getLogger(__name__)


class KafkaLists:
    """``current`` is the newest snapshot; ``complete`` is set once everything that stood in the topic at start was read."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._reader = TopicReader(kafka, LIST_TOPIC)
        self.current = ListSnapshot()
        self.complete = asyncio.Event()

    async def follow(self, changed: Callable[[ListSnapshot], None]) -> None:
        """Read for ever; ``changed`` gets every new snapshot. A broker that is down is waited for."""
        offset = 0
        while True:
            try:
                async for records, next_offset in self._reader.read(0, offset):
                    self._apply(records)
                    offset = next_offset
                    if records:
                        changed(self.current)
                if not self.complete.is_set():
                    self.complete.set()
                    changed(self.current)
            except Unavailable:
                await self._reader.close()
            await asyncio.sleep(_POLL_S)

    def _apply(self, records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            if record.value is None:
                continue
            try:
                self.current = self.current.apply(translate.list_change(translate.parse(ListEntryChanged, record.value)))
            except MeshError as error:
                log.error("list entry at offset %s is refused: %s", record.offset, error.reason)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._reader.close()


def list_message(topic: str, keys: KeyedIds, change: ListChange, payload: bytes, event_id: str, now_s: float) -> Message:
    """Return the event of a change."""
    return Message(topic, 0, entry_key(keys, change), payload, cloud_event(event_id, LIST_TOPIC, SOURCE, now_s))
