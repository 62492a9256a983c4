"""Topics answered on Kafka: a batch of one partition in, its outputs and its offsets out in one transaction.

One worker and one transactional producer for each assigned partition. The transactional id belongs to the input partition and is
initialised on assignment (rule D11): whoever initialises it last fences everybody before, so a paused process can never commit. After an
abort, a fence or a commit of unknown outcome the producer is made anew, the committed offset is read again and the consumer goes back to
it (rule D12): its own position would skip the lost batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.connection import connection, stopped
from meshkit.events.message import Message

log = logging.getLogger(__name__)

_Answer = tuple[int, Sequence[Message]]
_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_PRODUCE_BYTES = 1_000_000
_FETCH_WAIT_MS = 10  # a partition that becomes free waits at most this long for a fetch of the others that found nothing


class BatchHandler(Protocol):
    """What turns records into messages. It must give the same messages for the same records, however often it is called."""

    async def assigned(self, partition: int, epoch: int) -> None:
        """Called when this process alone may answer the partition, before its first record. ``epoch`` grows with every assignment."""
        ...

    async def handle(self, partition: int, records: Sequence[ConsumerRecord]) -> Sequence[Message]:
        """Return what the records' transaction shall hold. Raises Unavailable when a neighbour is down: the same records come again."""
        ...

    async def confirm(self, partition: int) -> None:
        """Called when the batch's messages are in the log but not committed. Raises Unavailable to have the batch done again."""
        ...

    async def committed(self, partition: int, written: dict[tuple[str, int], int]) -> None:
        """Called after the commit with the last offset written to each (topic, partition)."""
        ...


class Health(Protocol):
    """Where a worker reports that its input stands still, and that it runs again."""

    def degraded(self, component: str, reason: str) -> None:
        """Say that a component is missing."""
        ...

    def recovered(self, component: str) -> None:
        """Say that it is back."""
        ...


def transactional_id(kafka: KafkaSettings, group: str, partition: int) -> str:
    """Return the id under which the partition's answers are written; holding it is holding the right to answer."""
    return f"{kafka.topic_prefix}{group}-{partition}"


async def start_transactional(kafka: KafkaSettings, transaction_id: str) -> AIOKafkaProducer:
    """Return a started producer that has fenced every earlier holder of the id; raises KafkaError."""
    producer = AIOKafkaProducer(
        **connection(kafka),
        transactional_id=transaction_id,
        transaction_timeout_ms=kafka.transaction_timeout_ms,
        request_timeout_ms=kafka.request_timeout_ms,
        acks="all",
        max_batch_size=_PRODUCE_BYTES,
        max_request_size=4 * _PRODUCE_BYTES,
    )
    try:
        await producer.start()
    except BaseException:
        await stopped(producer)
        raise
    return producer


async def send_all(producer: AIOKafkaProducer, messages: Sequence[Message]) -> dict[tuple[str, int], int]:
    """Send inside the open transaction, a record batch for each partition; returns the last offset of each. Raises KafkaError."""
    by_partition: dict[tuple[str, int], list[Message]] = {}
    for message in messages:
        by_partition.setdefault((message.topic, message.partition), []).append(message)
    pending = []  # place, records, future of the first record's offset

    async def flush(place: tuple[str, int], batch: BatchBuilder) -> None:
        pending.append((place, batch.record_count(), await producer.send_batch(batch, place[0], partition=place[1])))

    for place, group in by_partition.items():
        builder = producer.create_batch()
        for message in group:
            fields = {"timestamp": None, "key": message.key, "value": message.value, "headers": list(message.headers)}
            if builder.append(**fields) is None:
                await flush(place, builder)
                builder = producer.create_batch()
                if builder.append(**fields) is None:
                    raise ValueError(f"message of {len(message.value)} bytes is above the batch limit")
        await flush(place, builder)
    acknowledged = await asyncio.gather(*(future for _, _, future in pending))
    return {place: metadata.offset + count - 1 for (place, count, _), metadata in zip(pending, acknowledged, strict=True)}


class ExactlyOnce(ConsumerRebalanceListener):  # type: ignore[misc]
    """Consumes one topic as a group member and answers it exactly once. ``run`` ends only by cancellation or by a bug of the handler."""

    def __init__(self, kafka: KafkaSettings, topic: str, group: str, handler: BatchHandler, health: Health, max_batch: int = 256) -> None:
        self._kafka = kafka
        self._topic = kafka.topic_prefix + topic
        self._group = kafka.topic_prefix + group
        self._group_name = group
        self._handler = handler
        self._health = health
        self._max_batch = max_batch
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None

    async def run(self) -> None:
        """Join the group and work until cancelled; a broker that is down is waited for."""
        self._failed = asyncio.get_running_loop().create_future()
        self._consumer = await self._joined()
        try:
            await self._failed
        finally:
            await self._stop_workers(list(self._workers))
            await stopped(self._consumer)

    async def _joined(self) -> AIOKafkaConsumer:
        attempt = 0
        while True:
            consumer = AIOKafkaConsumer(
                **connection(self._kafka),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                session_timeout_ms=6_000,
                heartbeat_interval_ms=1_500,
                max_poll_interval_ms=600_000,
                fetch_max_wait_ms=_FETCH_WAIT_MS,
                max_partition_fetch_bytes=512 * 1024,
            )
            try:
                await consumer.start()
                _unblocked(consumer)
            except KafkaError as error:
                await stopped(consumer)
                self._health.degraded("kafka", str(error))
                attempt = await _pause(attempt)
                continue
            except BaseException:
                await stopped(consumer)
                raise
            self._consumer = consumer
            consumer.subscribe([self._topic], listener=self)
            self._health.recovered("kafka")
            return consumer

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Stop the workers of partitions that go to somebody else."""
        await self._stop_workers([tp.partition for tp in revoked])

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Start a worker for each partition."""
        for tp in assigned:
            if tp.partition not in self._workers:
                task = asyncio.create_task(self._work(tp), name=f"{self._group_name}-{tp.partition}")
                task.add_done_callback(self._worker_done)
                self._workers[tp.partition] = task

    def _worker_done(self, task: asyncio.Task[None]) -> None:
        if task not in self._workers.values() or self._failed is None or self._failed.done():
            return  # stopped by us
        error = None if task.cancelled() else task.exception()  # a cancelled fetch of aiokafka may look as if we were cancelled
        self._failed.set_exception(error or RuntimeError("a worker ended from inside"))

    async def _stop_workers(self, partitions: Sequence[int]) -> None:
        tasks = [self._workers.pop(partition) for partition in partitions if partition in self._workers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, tp: TopicPartition) -> None:
        """Hold one partition for as long as it is assigned."""
        attempt = 0
        component = f"stream-{tp.partition}"
        while True:
            producer: AIOKafkaProducer | None = None
            try:
                producer = await start_transactional(self._kafka, transactional_id(self._kafka, self._group_name, tp.partition))
                await self._assigned(tp.partition)
                await self._rewind(tp)
                self._health.recovered(component)
                attempt = 0
                await self._loop(tp, producer)
            except (KafkaError, IllegalOperation, Unavailable) as error:
                log.warning("partition %s starts again from its committed offset: %s", tp.partition, type(error).__name__)
                self._health.degraded(component, type(error).__name__)
                attempt = await _pause(attempt)
            finally:
                if producer is not None:
                    await stopped(producer)  # the next holder of its id aborts what is left open

    async def _assigned(self, partition: int) -> None:
        """Tell the handler until its neighbours are there. The producer stays: a new one would fence whoever answers meanwhile."""
        attempt = 0
        while True:
            try:
                return await self._handler.assigned(partition, time.time_ns() // 1_000)
            except Unavailable as error:
                self._health.degraded(f"stream-{partition}", error.reason)
                attempt = await _pause(attempt)

    async def _rewind(self, tp: TopicPartition) -> None:
        """Go back to the committed offset; the consumer's own position may lie behind a batch that was never committed."""
        assert self._consumer is not None
        committed = await self._consumer.committed(tp)
        if committed is None:
            committed = (await self._consumer.beginning_offsets([tp]))[tp]
        self._consumer.seek(tp, committed)

    async def _loop(self, tp: TopicPartition, producer: AIOKafkaProducer) -> None:
        """Answer batch after batch. The next one is computed while the last one commits, after its ``confirm`` and never before."""
        following: asyncio.Future[_Answer] = asyncio.ensure_future(self._answer(tp))
        try:
            while True:
                offset, messages = await following
                async with producer.transaction():
                    written = await send_all(producer, messages)  # not beside the offsets: the broker would refuse one of both
                    await producer.send_offsets_to_transaction({tp: offset}, self._group)
                    await self._handler.confirm(tp.partition)
                    following = asyncio.ensure_future(self._answer(tp))
                await self._handler.committed(tp.partition, written)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _answer(self, tp: TopicPartition) -> _Answer:
        """Return the next batch's messages, and the offset behind its records."""
        assert self._consumer is not None
        records: Sequence[ConsumerRecord] | None = None
        while not records:
            self._consumer.resume(tp)
            records = (await self._consumer.getmany(tp, timeout_ms=200, max_records=self._max_batch)).get(tp)
        if len(records) < self._max_batch:
            self._consumer.pause(tp)  # no backlog: what is fetched when this batch is done is fresher than what is fetched now
        return records[-1].offset + 1, await self._handled(tp.partition, records)

    async def _handled(self, partition: int, records: Sequence[ConsumerRecord]) -> Sequence[Message]:
        """Call the handler until its neighbours are there: the input waits, its lag says so."""
        attempt = 0
        while True:
            try:
                messages = await self._handler.handle(partition, records)
            except Unavailable as error:
                self._health.degraded(f"stream-{partition}", error.reason)
                attempt = await _pause(attempt)
            else:
                if attempt:
                    self._health.recovered(f"stream-{partition}")
                return messages


def _unblocked(consumer: AIOKafkaConsumer) -> None:
    """Let a partition be fetched while another's records still wait for their worker.

    aiokafka holds all fetches from a broker back until every partition's records are taken, or 100 ms have passed: made for one reader of
    all partitions, and with a worker each it made the quick wait for the slow. It has no setting for that.
    """
    consumer._fetcher._prefetch_backoff = 0.0


async def _pause(attempt: int) -> int:
    """Sleep before the next attempt; returns its number. Raises CancelledError when the worker is to end.

    A cancellation inside a transaction makes aiokafka abort it, and when that fails (the producer was fenced meanwhile) its KafkaError
    comes in place of the CancelledError. A worker that went on then would keep the group from ever rebalancing.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
    return attempt + 1
