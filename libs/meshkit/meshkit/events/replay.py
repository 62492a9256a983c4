"""Read a topic as a log, outside of any consumer group: from an offset to its last stable end, once, or single records by their offsets.

The end is told by ``position()``: the last offset of a partition may be a transaction marker, which is never delivered (rule D13). An
offset behind the end is of a topic that was truncated or made anew: such a topic is read from its beginning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from meshkit.config import KafkaSettings
from meshkit.events import clients
from meshkit.events.clients import event_log_down, stopped
from meshkit.events.message import Record
from meshkit.events.topic_ids import TopicIds

log = logging.getLogger(__name__)
_FETCH_S = 5.0  # a broker that answers requests and gives no record for so long is down


class TopicReader:
    """Reads one topic. Methods raise Unavailable when the broker does not answer. ``aclose`` it."""

    def __init__(self, kafka: KafkaSettings, topic: str, fetch_bytes: int = 1_048_576) -> None:
        """``fetch_bytes``: of one partition, at most, that the broker sends at once."""
        self.topic = kafka.topic_prefix + topic
        self._fetch_bytes = fetch_bytes
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None
        self._ids: TopicIds | None = None

    async def aclose(self) -> None:
        """Close the connection."""
        if self._ids is not None:
            ids, self._ids = self._ids, None
            await ids.__aexit__()
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await stopped(consumer)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            await self.partitions()  # of a topic that does not exist yet aiokafka would ask again and again, without a pause
            consumer = clients.consumer(
                self._kafka,
                request_timeout_ms=self._kafka.request_timeout_ms,
                fetch_max_wait_ms=20,
                max_partition_fetch_bytes=self._fetch_bytes,
            )
            try:
                self._consumer = await clients.started(consumer)
            except KafkaError as error:
                raise event_log_down() from error
        return self._consumer

    async def partitions(self) -> list[int]:
        """Return the topic's partitions. Raises Unavailable also while the topic does not exist."""
        try:
            async with TopicIds(self._kafka) as topics:
                return sorted((await topics.identity(self.topic)).partitions)
        except KafkaError as error:
            raise event_log_down(", or has no such topic") from error

    async def topic_id(self) -> str:
        """Return the topic's id, which tells it from another one of its name, over a connection that is kept. Raises Unavailable."""
        try:
            if self._ids is None:
                self._ids = await TopicIds(self._kafka).__aenter__()
            return (await self._ids.identity(self.topic)).id
        except KafkaError as error:
            raise event_log_down(", or has no such topic") from error

    async def read(
        self, partition: int, first_offset: int, max_records: int = 1000, *, wait_for_open: bool = False
    ) -> AsyncIterator[tuple[Sequence[Record], int]]:
        """Yield (records, next offset) from ``first_offset`` to the last stable offset at the time of the call; at least one pair.

        ``wait_for_open``: to the high watermark instead. Transactions that are open now are waited for, as long as their timeout at most.
        """
        consumer = await self._connected()
        tp = TopicPartition(self.topic, partition)
        try:
            consumer.assign([tp])
            start = (await consumer.beginning_offsets([tp]))[tp]
            end = await self._written(tp) if wait_for_open else (await consumer.end_offsets([tp]))[tp]
            first = max(first_offset, start)
            if first_offset > end:
                log.warning("%s ends at %s, before offset %s: it is read from its beginning", self.topic, end, first_offset)
                first = start
            consumer.seek(tp, first)
            if first >= end:
                consumer.pause(tp)
                yield [], first
                return
            while (position := await consumer.position(tp)) < end:
                fetched = await consumer.getmany(tp, timeout_ms=500, max_records=max_records)
                records = fetched.get(tp, [])
                after = await consumer.position(tp)
                if records or after > position:
                    yield records, after
            consumer.pause(tp)  # nobody reads on before the next call
        except KafkaError as error:
            raise event_log_down() from error

    async def _written(self, tp: TopicPartition) -> int:
        """Return the high watermark: what is written, committed or not."""
        reader = clients.consumer(self._kafka, isolation_level="read_uncommitted", request_timeout_ms=self._kafka.request_timeout_ms)
        try:
            await reader.start()
            return int((await reader.end_offsets([tp]))[tp])
        finally:
            await stopped(reader)

    async def at(
        self, partition: int, offsets: Collection[int], admit: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[tuple[int, Record | None]]:
        """Yield each offset with its record, None where no committed record is, in ascending order.

        ``admit`` is awaited before each fetch, which brings what lies next to each other at once; what it raises ends the reading.
        """
        consumer = await self._connected()
        tp = TopicPartition(self.topic, partition)
        wanted = sorted(set(offsets))
        try:
            consumer.assign([tp])
            start, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
            while wanted:
                if not start <= wanted[0] < end:
                    yield wanted.pop(0), None
                    continue
                await admit()
                consumer.seek(tp, wanted[0])
                found, position = await self._fetched(tp, None if len(wanted) > 1 else 1)
                while wanted and wanted[0] < position:
                    yield wanted[0], found.get(wanted.pop(0))
        except KafkaError as error:
            raise event_log_down() from error
        finally:
            consumer.pause(tp)

    async def _fetched(self, tp: TopicPartition, max_records: int | None) -> tuple[dict[int, Record], int]:
        """Return records from the position on by their offsets, and the next position. Raises Unavailable when it stands still."""
        assert self._consumer is not None
        before = await self._consumer.position(tp)
        try:
            async with asyncio.timeout(_FETCH_S):
                while True:
                    records = (await self._consumer.getmany(tp, timeout_ms=200, max_records=max_records)).get(tp, [])
                    position = int(await self._consumer.position(tp))
                    if records or position != before:
                        return {record.offset: record for record in records}, max(position, before + 1)
        except TimeoutError:
            raise event_log_down() from None

    async def offset_at(self, partition: int, time_s: float) -> int:
        """Return the first offset written at or after a time; the end when there is none."""
        consumer = await self._connected()
        tp = TopicPartition(self.topic, partition)
        try:
            consumer.assign([tp])
            found = (await consumer.offsets_for_times({tp: int(time_s * 1000)}))[tp]
            return int(found.offset) if found else int((await consumer.end_offsets([tp]))[tp])
        except KafkaError as error:
            raise event_log_down() from error
