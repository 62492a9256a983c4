"""Stands for the topic of audit records: what a test puts there, the gateway's reader is given, as OffsetsInDb does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from finmesh.audit.v1 import audit_record_pb2 as audit
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.errors import Unavailable
from meshkit.events.offsets_in_db import Position
from meshkit.events.poison import NO_POISON


class AuditTopic:
    """One partition. Give ``topic.reader`` to ``serve``."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.restarts = 0
        self.is_behind = False  # readers never come to the end
        self._grown = asyncio.Condition()

    async def put(self, *records: audit.AuditRecord, producer: str = "router/1") -> None:
        """Write one batch."""
        batch = audit.AuditBatch(producer=producer, records=[each.SerializeToString() for each in records])
        await self.put_bytes(batch.SerializeToString(), producer)

    async def put_bytes(self, content: bytes, producer: str = "router/1") -> None:
        """Write anything."""
        async with self._grown:
            place = {"topic": AUDIT_TOPIC, "partition": 0, "offset": len(self.records)}
            self.records.append(SimpleNamespace(**place, key=producer.encode(), value=content, headers=()))
            self._grown.notify_all()

    def reader(self, kafka: Any, topic: str, sink: Any, health: Any, flush: Any, since_s: Callable[[], float]) -> _Reader:
        """Return a reader of this topic."""
        assert topic == AUDIT_TOPIC
        return _Reader(self, sink)

    async def read(self, begin: int) -> Sequence[Any]:
        """Return what is there behind an offset, once there is some."""
        async with self._grown:
            await self._grown.wait_for(lambda: len(self.records) > begin)
            return self.records[begin:]


class _Reader:
    def __init__(self, topic: AuditTopic, sink: Any) -> None:
        self._topic, self._sink = topic, sink
        self.is_caught_up = False

    async def run(self, stopping: asyncio.Event) -> None:
        work, stop = asyncio.create_task(self._read_for_ever()), asyncio.create_task(stopping.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stop):
            task.cancel()
        await asyncio.gather(work, stop, return_exceptions=True)

    async def _read_for_ever(self) -> None:
        while True:
            self.is_caught_up = False
            try:
                await self._read()
            except Unavailable:
                self._topic.restarts += 1
                await asyncio.sleep(0.02)

    async def _read(self) -> None:
        known = (await self._sink.positions(AUDIT_TOPIC)).get(0)
        position = known or Position(0, "topic", 0)
        if known is None:
            await self._sink.store((), (), [position], NO_POISON)
        while True:
            self.is_caught_up = position.next_offset >= len(self._topic.records) and not self._topic.is_behind
            records = await self._topic.read(position.next_offset)
            position = Position(0, "topic", position.next_offset + len(records))
            await self._sink.store(records, (), [position], NO_POISON)
