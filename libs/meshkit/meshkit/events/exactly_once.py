"""Topics answered on Kafka: a batch of one partition in, its outputs and its offsets out in one transaction.

One worker for each assigned partition, with a reader and a transactional producer of its own. The transactional id belongs to the input
partition and is initialised on assignment (rule D11): whoever initialises it last fences everybody before, so a paused process can never
commit. After answers were sent, an abort, a fence or a commit of unknown outcome makes producer and reader anew, and reading goes on at the
committed offset (rule D12): behind what was read, the lost batch would be skipped. A handler that could not answer leaves nothing but
offsets to abort: its worker keeps the batch and the right to answer it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError

from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.connection import connection, stopped
from meshkit.events.message import Message
from meshkit.events.transactional import join, send_all, start_reader, start_transactional, transactional_id

log = logging.getLogger(__name__)

_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_IDLE_MS = 1_000
_CALM_S = 5.0  # a worker that ran for so long begins its next pauses from the shortest


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


class ExactlyOnce(ConsumerRebalanceListener):  # type: ignore[misc]
    """Consumes one topic as a group member and answers it exactly once. ``run`` ends only by cancellation or by a bug of the handler.

    ``linger_s``: how long a partition without a backlog waits after a batch before it fetches the next: fewer and larger transactions.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        group: str,
        handler: BatchHandler,
        health: Health,
        max_batch: int = 256,
        linger_s: float = 0.0,
    ) -> None:
        self._kafka = kafka
        self._topic = kafka.topic_prefix + topic
        self._group = kafka.topic_prefix + group
        self._group_name = group
        self._handler = handler
        self._health = health
        self._max_batch = max_batch
        self._linger_s = linger_s
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[None] | None = None
        self._member: AIOKafkaConsumer | None = None  # of the group: it is told its partitions, and reads none

    async def run(self) -> None:
        """Join the group and work until cancelled; a broker that is down is waited for."""
        self._failed = asyncio.get_running_loop().create_future()
        self._member = await self._joined()
        polling = asyncio.create_task(self._polled(self._member), name=f"{self._group_name}-member")
        try:
            await asyncio.gather(self._failed, polling)
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            await self._stop_workers(list(self._workers))
            await stopped(self._member)

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
            )
            try:
                await consumer.start()
            except KafkaError as error:
                await stopped(consumer)
                self._health.degraded("kafka", str(error))
                attempt = await _pause(attempt)
                continue
            except BaseException:
                await stopped(consumer)
                raise
            self._member = consumer
            consumer.subscribe([self._topic], listener=self)
            self._health.recovered("kafka")
            return consumer

    async def _polled(self, member: AIOKafkaConsumer) -> None:
        """Keep the member in its group: one that never asks for records is taken for dead."""
        attempt = 0
        while True:
            try:
                await member.getmany(timeout_ms=_IDLE_MS)
            except KafkaError as error:
                log.warning("the group %s does not answer: %s", self._group_name, type(error).__name__)
                self._health.degraded("kafka", type(error).__name__)
                attempt = await _pause(attempt)
            else:
                if attempt:
                    self._health.recovered("kafka")
                attempt = 0

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Stop the workers of partitions that go to somebody else."""
        await self._stop_workers([tp.partition for tp in revoked])

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Start a worker for each partition."""
        assert self._member is not None
        self._member.pause(*assigned)  # the workers read
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
            reader: AIOKafkaConsumer | None = None
            began_s = time.monotonic()
            try:
                producer = await start_transactional(self._kafka, transactional_id(self._kafka, self._group_name, tp.partition))
                await self._assigned(tp.partition)
                reader = await start_reader(self._kafka, tp, await self._committed(tp))
                self._health.recovered(component)
                await self._loop(tp, reader, producer)
            except (KafkaError, IllegalOperation, Unavailable) as error:
                log.warning("partition %s starts again from its committed offset: %s", tp.partition, type(error).__name__)
                self._health.degraded(component, getattr(error, "reason", None) or type(error).__name__)
                attempt = await _pause(attempt if time.monotonic() - began_s < _CALM_S else 0)
            finally:
                if reader is not None:
                    await stopped(reader)
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

    async def _committed(self, tp: TopicPartition) -> int:
        """Return the offset behind the last answered record."""
        assert self._member is not None
        committed: int | None = await self._member.committed(tp)
        return int((await self._member.beginning_offsets([tp]))[tp]) if committed is None else committed

    async def _loop(self, tp: TopicPartition, reader: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        """Answer batch after batch; a backlog's next records are fetched meanwhile."""
        written: dict[tuple[str, int], int] = {}
        while True:
            records = await self._fetched(tp, reader)
            written = await self._answered(tp, producer, records, written)
            await self._handler.committed(tp.partition, written)

    async def _fetched(self, tp: TopicPartition, reader: AIOKafkaConsumer) -> Sequence[ConsumerRecord]:
        """Return the next batch's records, at least one."""
        if reader.paused():
            await asyncio.sleep(self._linger_s)
            reader.resume(tp)
        records: Sequence[ConsumerRecord] | None = None
        while not records:
            _end_if_cancelled()
            records = (await reader.getmany(timeout_ms=_IDLE_MS, max_records=self._max_batch)).get(tp)
        if records[-1].offset + 1 >= (reader.last_stable_offset(tp) or 0):
            reader.pause(tp)  # no backlog: what is fetched when this batch is done is fresher than what is fetched now
        return records

    async def _answered(
        self, tp: TopicPartition, producer: AIOKafkaProducer, records: Sequence[ConsumerRecord], likely: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], int]:
        """Answer a batch, however long its handler's neighbours are away: the input waits, its lag says so."""
        attempt = 0
        while True:
            try:
                written = await self._transacted(tp, producer, records, likely)
            except _NeighbourDownError as down:
                self._health.degraded(f"stream-{tp.partition}", down.reason)
                attempt = await _pause(attempt)
            else:
                if attempt:
                    self._health.recovered(f"stream-{tp.partition}")
                return written

    async def _transacted(
        self, tp: TopicPartition, producer: AIOKafkaProducer, records: Sequence[ConsumerRecord], likely: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], int]:
        """Commit offsets and answers together.

        The offsets, and the partitions that the answers are ``likely`` to go to, join the transaction while the answers are made. They
        can't join it beside these: the broker would refuse one of both.
        """
        async with producer.transaction():
            join(producer, likely)
            offsets = asyncio.ensure_future(producer.send_offsets_to_transaction({tp: records[-1].offset + 1}, self._group))
            try:
                messages = await self._handler.handle(tp.partition, records)
                await offsets
            except Unavailable as error:
                await offsets  # a fence met meanwhile outweighs a neighbour: this producer can't begin again
                raise _NeighbourDownError(error.reason) from error
            finally:
                offsets.cancel()
            written = await send_all(producer, messages)
            await self._handler.confirm(tp.partition)
            return written


class _NeighbourDownError(Exception):
    """The handler could not answer; nothing was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _end_if_cancelled() -> None:
    """Raise CancelledError when the worker is to end and its CancelledError was lost: going on, it would keep the group from rebalancing.

    It gets lost in two ways. Inside a transaction it makes aiokafka abort, and when that fails (the producer was fenced meanwhile) a
    KafkaError comes in its place. And Python 3.11's ``asyncio.wait_for``, in whatever client the handler uses, returns its result
    when the cancellation comes right after it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _pause(attempt: int) -> int:
    """Sleep before the next attempt; returns its number. Raises CancelledError when the worker is to end."""
    _end_if_cancelled()
    await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
    return attempt + 1
