"""Block lists and trusted payees: a compacted topic, read from its beginning at start and followed from then on (rule D28)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from meshkit.config import KafkaSettings
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.errors import MeshError, Unavailable
from meshkit.events.health import Health
from meshkit.events.message import Message, Record, cloud_event
from meshkit.events.poison import INTERNAL_ERROR, AllFailedError, Isolation, Place, place_of
from meshkit.events.replay import TopicReader

from risk_scoring import translate
from risk_scoring.domain.lists import NOT_READ, ListChange, ListSnapshot, ListsNotRead
from risk_scoring.translate.list_changes import entry_key, list_change
from risk_scoring.translate.messages import SOURCE

LIST_TOPIC = "finmesh.risk.v1.ListEntryChanged"
_COMPONENT = "lists"
_POLL_S = 0.25
_TOGETHER = 5_000  # entries applied at once: each time, the dicts that they touch are copied
log = logging.getLogger(__name__)


class KafkaLists:
    """Follows the topic. Until what stood in it at first was read, nobody is told anything, and nothing is decided (rule D28)."""

    def __init__(self, kafka: KafkaSettings, health: Health) -> None:
        self._reader = TopicReader(kafka, LIST_TOPIC)
        self._health = health
        self._isolation = Isolation(self._reader.topic, health)
        self._topic_id = ""
        self._offset = 0
        self._lists = NOT_READ

    async def follow(self, changed: Callable[[ListSnapshot], None]) -> None:
        """Read for ever; ``changed`` gets every new snapshot. A broker that is down is waited for."""
        self._health.not_ready(_COMPONENT, ListsNotRead.default_reason)
        while True:
            try:
                await self._read(changed)
                self._health.recovered(_COMPONENT)
            except (Unavailable, AllFailedError) as error:
                missing = self._health.degraded if self._lists.read else self._health.not_ready
                missing(_COMPONENT, INTERNAL_ERROR if isinstance(error, AllFailedError) else error.reason)
                await self._reader.aclose()
            await asyncio.sleep(_POLL_S)

    async def _read(self, changed: Callable[[ListSnapshot], None]) -> None:
        """Read to the end. Of a topic that was made anew all is read before its lists take the place of the old ones."""
        topic_id = await self._reader.topic_id()
        if topic_id != self._topic_id:
            if self._topic_id:
                log.error("the topic of lists was made anew: its lists replace those in force")
            self._begin_anew(topic_id)
        async for records, next_offset in self._reader.read(0, self._offset, _TOGETHER):
            if next_offset < self._offset:
                log.error("the topic of lists was cut off at its end: it is read again")
                self._begin_anew(topic_id)
            self._apply(records)
            self._offset = next_offset
            if records and self._lists.read:
                changed(self._lists)
        if not self._lists.read:
            self._lists = replace(self._lists, read=True)
            log.info("%s list entries are in force", self._lists.size)
            changed(self._lists)

    def _begin_anew(self, topic_id: str) -> None:
        self._topic_id, self._offset, self._lists = topic_id, 0, NOT_READ

    def _apply(self, records: Sequence[Record]) -> None:
        """Apply what can be read, together. Raises AllFailedError when our code fails on all of it."""
        changes: list[ListChange] = []
        poison: dict[Place, Exception] = {}
        for record in records:
            if record.value is None:
                continue
            try:
                changes.append(list_change(translate.parse(ListEntryChanged, record.value)))
            except MeshError as error:
                log.error("list entry at offset %s is refused: %s", record.offset, error.reason)
            except Exception as error:  # a bug: the entry stays in the topic, and the others must not wait for it
                poison[place_of(record)] = error
        self._isolation.check(poison, bool(changes))
        self._lists = self._lists.apply(*changes)
        self._isolation.stored(poison, bool(changes))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._reader.aclose()


def list_message(topic: str, keys: KeyedIds, change: ListChange, payload: bytes, event_id: str, now_s: float) -> Message:
    """Return the event of a change."""
    return Message(topic, 0, entry_key(keys, change), payload, cloud_event(event_id, LIST_TOPIC, SOURCE, now_s))
