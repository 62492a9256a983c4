"""A real Kafka under `ExactlyOnce`: a small handler as neighbour, and eyes on what read_committed readers see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from meshkit.config import KafkaSettings
from meshkit.events.exactly_once import ExactlyOnce
from meshkit.events.message import Message
from meshkit.testing.keys import payload_sealer

from tests.protocol.desks import Health
from tests.protocol.mutants import TooSlowError

INPUT = "finmesh.risk.v1.TransactionAuthorizationRequested"
OUTPUT = "finmesh.risk.v1.TransactionDecided"
AUDIT = "finmesh.audit.v1.AuditBatch"
GROUP = "group"
PATIENCE_S = 60.0
"""Guards against waiting for ever, and judges nothing: a machine may be slow."""


@dataclass
class Echo:
    """Answers each record with its value on the output topic and the audit topic. Hooks stand for what happens meanwhile."""

    kafka: KafkaSettings
    epochs: list[int] = field(default_factory=list)
    batches: list[list[bytes]] = field(default_factory=list)
    commits: list[dict[tuple[str, int], int]] = field(default_factory=list)
    on_assigned: Callable[[], Awaitable[None]] | None = None
    on_handle: Callable[[], Awaitable[None]] | None = None
    on_confirm: Callable[[], Awaitable[None]] | None = None
    on_committed: Callable[[], Awaitable[None]] | None = None

    async def assigned(self, partition: int, epoch: int) -> None:
        """Note the epoch of partition 0."""
        if self.on_assigned is not None:
            await self.on_assigned()
        if partition == 0:
            self.epochs.append(epoch)

    async def handle(self, partition: int, records: Sequence[Any]) -> Sequence[Message]:
        """Echo."""
        self.batches.append([record.value for record in records])
        if self.on_handle is not None:
            await self.on_handle()
        prefix = self.kafka.topic_prefix
        echoes = [Message(prefix + OUTPUT, partition, record.key, record.value, ()) for record in records]
        return [*echoes, Message(prefix + AUDIT, 0, None, b"+".join(record.value for record in records), ())]

    async def confirm(self, partition: int) -> None:
        """Nothing to confirm."""
        if self.on_confirm is not None:
            await self.on_confirm()

    async def committed(self, partition: int, written: dict[tuple[str, int], int]) -> None:
        """Note what was written."""
        self.commits.append(written)
        if self.on_committed is not None:
            await self.on_committed()


def settings(bootstrap: str, prefix: str, **changes: Any) -> KafkaSettings:
    """Short timeouts."""
    return KafkaSettings(bootstrap_servers=bootstrap, topic_prefix=prefix, transaction_timeout_ms=5_000, **changes)


@asynccontextmanager
async def working(kafka: KafkaSettings, handler: Any, *, max_batch: int = 256, health: Any = None) -> AsyncIterator[ExactlyOnce]:
    """Run the loop beside the block; its failure is the block's."""
    loop = ExactlyOnce(kafka, INPUT, GROUP, handler, health or Health(), payload_sealer(), max_batch)
    task, block = asyncio.create_task(loop.run()), asyncio.current_task()
    assert block is not None

    def ended(_: asyncio.Task[None]) -> None:
        block.cancel()

    task.add_done_callback(ended)
    try:
        yield loop
    except asyncio.CancelledError:
        if not task.done():
            raise
        block.uncancel()
        task.result()
        raise AssertionError("the loop ended") from None
    finally:
        task.remove_done_callback(ended)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def send(kafka: KafkaSettings, *values: bytes, topic: str = INPUT, partition: int = 0) -> None:
    """Write input records to one partition."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for value in values:
            await producer.send_and_wait(kafka.topic_prefix + topic, value, key=b"account", partition=partition)


async def visible(kafka: KafkaSettings, topic: str = OUTPUT, partition: int = 0) -> list[bytes]:
    """What a read_committed reader gets of one partition."""
    tp = TopicPartition(kafka.topic_prefix + topic, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, isolation_level="read_committed", enable_auto_commit=False, fetch_max_wait_ms=20
    )
    try:
        await consumer.start()
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end, found = (await consumer.end_offsets([tp]))[tp], []
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(tp, timeout_ms=200)).values():
                found += [record.value for record in records]
        return found
    finally:
        await consumer.stop()


async def committed(kafka: KafkaSettings, partition: int = 0) -> int | None:
    """The group's offset."""
    tp = TopicPartition(kafka.topic_prefix + INPUT, partition)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.topic_prefix + GROUP, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign([tp])
        offset: int | None = await consumer.committed(tp)
        return offset
    finally:
        await consumer.stop()


async def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until ``condition`` holds (it may be a coroutine function); TooSlowError when it does not come true.

    A look that is under way when patience ends is let go on for a moment: broken off, aiokafka forgets the connection that it is making.
    """
    looking: set[asyncio.Future[Any]] = set()
    try:
        async with asyncio.timeout(patience_s):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    looking = {asyncio.ensure_future(found)}
                    found = await asyncio.shield(*looking)
                if found:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TooSlowError(f"{what} did not happen within {patience_s} s") from None
    finally:
        if any(not each.done() for each in looking):
            await asyncio.wait(looking, timeout=5)
            for each in looking:
                each.cancel()


async def never(condition: Callable[[], Any], what: str, watch_s: float = 1.0) -> None:
    """Watch for a while; AssertionError when ``condition`` comes true."""
    with suppress(TimeoutError):
        async with asyncio.timeout(watch_s):
            while True:
                assert not condition(), what
                await asyncio.sleep(0.02)
