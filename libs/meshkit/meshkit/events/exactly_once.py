"""Topics answered on Kafka: a batch of one partition in, its outputs and its offsets out in one transaction.

A member of a consumer group that is told its partitions and reads none of them: each has a worker (`partition_worker`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from meshkit.config import KafkaSettings
from meshkit.crypto.seal import Sealer
from meshkit.events import backoff, clients
from meshkit.events.clients import stopped
from meshkit.events.health import Health, reason_of
from meshkit.events.partition_worker import BatchHandler, PartitionWorker, Work
from meshkit.events.poison import Isolation

log = logging.getLogger(__name__)
_IDLE_MS = 1_000


class ExactlyOnce(ConsumerRebalanceListener):  # type: ignore[misc]
    """Consumes one topic as a group member and answers it exactly once. ``run`` ends only by cancellation or by a bug.

    ``linger_s``: how long a partition without a backlog waits after a batch before it fetches the next: fewer and larger transactions.
    ``busy_linger_s``: how long it does so at most after a large batch.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        group: str,
        handler: BatchHandler,
        health: Health,
        sealer: Sealer,
        max_batch: int = 256,
        linger_s: float = 0.0,
        busy_linger_s: float = 0.0,
    ) -> None:
        self._kafka = kafka
        self._topic = kafka.topic_prefix + topic
        self._group = kafka.topic_prefix + group
        self._group_name = group
        self._handler = handler
        self._health = health
        self._sealer = sealer
        self._isolation = Isolation(self._topic, health)
        self._max_batch = max_batch
        self._linger_s = linger_s
        self._busy_linger_s = busy_linger_s
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
            consumer = clients.consumer(self._kafka, group_id=self._group, session_timeout_ms=6_000, heartbeat_interval_ms=1_500)
            try:
                await clients.started_for(consumer, self._topic)
            except KafkaError as error:
                self._health.degraded("kafka", reason_of(error))
                attempt = await backoff.pause(attempt)
                continue
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
                self._health.degraded("kafka", reason_of(error))
                attempt = await backoff.pause(attempt)
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
        work = Work(
            kafka=self._kafka,
            group=self._group_name,
            handler=self._handler,
            health=self._health,
            sealer=self._sealer,
            isolation=self._isolation,
            max_batch=self._max_batch,
            linger_s=self._linger_s,
            busy_linger_s=self._busy_linger_s,
            member=self._member,
        )
        for tp in assigned:
            if tp.partition not in self._workers:
                task = asyncio.create_task(PartitionWorker(work, tp).run(), name=f"{self._group_name}-{tp.partition}")
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
