"""Changes of lists in: a compacted topic, read from its beginning at start and followed from then on (rule D28)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from meshkit.config import KafkaSettings
from meshkit.errors import MeshError, Unavailable
from meshkit.events.health import Health
from meshkit.events.message import Record
from meshkit.events.poison import INTERNAL_ERROR, AllFailedError, Isolation, Place, place_of
from meshkit.events.replay import TopicReader

from risk_scoring import translate
from risk_scoring.domain.lists import ListChange, ListsNotRead
from risk_scoring.translate.list_changes import LIST_TOPIC, list_change
from risk_scoring.usecases.on_list_entry_changed import OnListEntryChanged

_COMPONENT = "lists"
_POLL_S = 0.25
_TOGETHER = 5_000  # entries applied at once: each time, the dicts that they touch are copied
log = logging.getLogger(__name__)


class ListEntries:
    """Follows the topic. Until its first end was reached, the process is not ready."""

    def __init__(self, kafka: KafkaSettings, usecase: OnListEntryChanged, health: Health) -> None:
        self._reader = TopicReader(kafka, LIST_TOPIC)
        self._usecase = usecase
        self._health = health
        self._isolation = Isolation(self._reader.topic, health)
        self._topic_id = ""
        self._offset = 0

    async def follow(self) -> None:
        """Read for ever. A broker that is down is waited for."""
        self._health.not_ready(_COMPONENT, ListsNotRead.default_reason)
        while True:
            try:
                await self.read()
                self._health.recovered(_COMPONENT)
            except (Unavailable, AllFailedError) as error:
                missing = self._health.degraded if self._usecase.lists.read else self._health.not_ready
                missing(_COMPONENT, INTERNAL_ERROR if isinstance(error, AllFailedError) else error.reason)
                await self._reader.aclose()
            await asyncio.sleep(_POLL_S)

    async def read(self) -> None:
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
            self.apply(records)
            self._offset = next_offset
        self._usecase.reached_end()

    def _begin_anew(self, topic_id: str) -> None:
        self._topic_id, self._offset = topic_id, 0
        self._usecase.begin_anew()

    def apply(self, records: Sequence[Record]) -> None:
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
        self._usecase.apply(changes)
        self._isolation.stored(poison, bool(changes))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._reader.aclose()
