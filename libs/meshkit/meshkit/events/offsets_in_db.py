"""A topic consumed into a database that keeps the offsets itself: what is stored and how far it was read commit together.

No consumer group: all partitions are assigned, positions come from the sink. Kafka is never asked where to go on (auto_offset_reset
none): when retention passed what was due, or the topic was created anew under the same name, the sink is told what is lost before
anything else is stored (rule D14). The topic's id is asked again for every batch, after its records were fetched: records of a new
topic are never stored under the old one's offsets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events import backoff, clients
from meshkit.events.clients import stopped
from meshkit.events.health import Health, reason_of
from meshkit.events.message import Record
from meshkit.events.poison import INTERNAL_ERROR, NO_POISON, AllFailedError, Isolation, Place, Poison, place_of, waits
from meshkit.events.topic_ids import TopicIdentity, TopicIds

log = logging.getLogger(__name__)

_IDLE_MS = 1_000
_PARTITION_BYTES = 4 * 1024 * 1024  # a backlog comes in large transactions: they touch the pages of random ids' indexes less often
_COMPONENT = "kafka"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition goes on. ``incarnation`` is the topic's id; a suffix ``+n`` counts truncations of the same topic."""

    partition: int
    incarnation: str
    next_offset: int


class LossReason(StrEnum):
    """Why records that were due never came."""

    RETENTION_PASSED = "RETENTION_PASSED"
    TOPIC_CREATED_ANEW = "TOPIC_CREATED_ANEW"
    LOG_TRUNCATED = "LOG_TRUNCATED"


@dataclass(frozen=True, slots=True)
class Loss:
    """Records from ``due`` on are missing; reading goes on at ``resumed``."""

    reason: LossReason
    due: Position
    resumed: Position


@dataclass(frozen=True, slots=True)
class Flush:
    """When a batch is stored: whichever bound is reached first. The broker is asked to wait for `bytes` or `delay_ms`."""

    records: int = 500
    bytes: int = 256 * 1024
    delay_ms: int = 200


class Sink(Protocol):
    """The database. ``positions`` and ``store`` raise Unavailable when it cannot be reached: they are called again."""

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each known partition goes on; called at the start and after every failure."""
        ...

    async def store(self, records: Sequence[Record], losses: Sequence[Loss], positions: Sequence[Position], poison: Poison) -> None:
        """Store records, losses and positions in one transaction. Of ``poison`` only what it was is kept, sealed, with INTERNAL_ERROR."""
        ...

    def read(self, record: Record) -> bool:
        """Read one record as ``store`` does, and store nothing. Returns False when it is refused; raises what our code raises on it."""
        ...


def resume(
    identity: TopicIdentity, known: Mapping[int, Position], begin: Mapping[int, int], end: Mapping[int, int]
) -> tuple[list[Position], list[Loss]]:
    """Return where every partition goes on and what was lost before that.

    ``begin`` and ``end`` are the first and the next offset that the broker has. A partition never read is due from offset 0.
    """
    positions: list[Position] = []
    losses: list[Loss] = []
    for partition in sorted(identity.partitions):
        first, last = begin[partition], end[partition]
        due = known.get(partition, Position(partition, identity.id, 0))
        reason: LossReason | None = None
        if due.incarnation.partition("+")[0] != identity.id:
            reason, at = LossReason.TOPIC_CREATED_ANEW, Position(partition, identity.id, first)
        elif due.next_offset > last:
            reason, at = LossReason.LOG_TRUNCATED, Position(partition, _truncated(due.incarnation), last)
        elif due.next_offset < first:
            reason, at = LossReason.RETENTION_PASSED, replace(due, next_offset=first)
        else:
            at = due
        positions.append(at)
        if reason is not None:
            losses.append(Loss(reason, due, at))
    return positions, losses


def _truncated(incarnation: str) -> str:
    topic_id, _, count = incarnation.partition("+")
    return f"{topic_id}+{int(count or 0) + 1}"


class OffsetsInDb:
    """Reads one topic into a sink. One instance a topic and database."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        sink: Sink,
        health: Health,
        flush: Flush | None = None,
        since_s: Callable[[], float] | None = None,
    ) -> None:
        """``since_s``: a partition never read is due from this time (s since 1970, by its records' own), not from its beginning."""
        self._kafka = kafka
        self.topic = kafka.topic_prefix + topic
        self._sink = sink
        self._health = health
        self._isolation = Isolation(self.topic, health)
        self._flush = flush or Flush()
        self._incarnations: dict[int, str] = {}
        self._stored: dict[int, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._since_s = since_s
        self._ends: dict[TopicPartition, int] = {}
        self.is_caught_up = False
        """Whether everything is stored that the topic held when reading began last."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until ``stopping``. Whatever is down is waited for; other errors of the sink (a failed disk, tampering) end it."""
        work, stop = asyncio.create_task(self._read_for_ever()), asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if work.cancelled():
                raise RuntimeError("reading was cancelled from inside")  # never silently: the process must end and start again
            if work.done():
                work.result()
        finally:
            work.cancel()
            stop.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)

    async def _read_for_ever(self) -> None:
        attempt = 0
        while True:
            try:
                async with AsyncExitStack() as stack:
                    known = await self._sink.positions(self.topic)
                    topics = await stack.enter_async_context(TopicIds(self._kafka))
                    identity = await topics.identity(self.topic)
                    consumer = await self._started(stack)
                    await self._begin(consumer, identity, known)
                    self._health.recovered(_COMPONENT)
                    attempt = 0
                    await self._read(consumer, topics, identity)
            except (KafkaError, Unavailable) as error:
                log.warning("reading starts again from stored offsets: %s", type(error).__name__)
                self._health.degraded(_COMPONENT, reason_of(error))
                attempt = await backoff.pause(attempt)

    def lag(self) -> int:
        """Return how many offsets are readable and not yet stored, over all partitions; 0 while not connected."""
        consumer = self._consumer
        if consumer is None:
            return 0
        stable = {tp.partition: consumer.last_stable_offset(tp) or 0 for tp in consumer.assignment()}
        return sum(max(0, offset - self._stored.get(partition, offset)) for partition, offset in stable.items())

    async def _started(self, stack: AsyncExitStack) -> AIOKafkaConsumer:
        consumer = clients.consumer(
            self._kafka,
            auto_offset_reset="none",
            fetch_max_wait_ms=self._flush.delay_ms,
            fetch_min_bytes=self._flush.bytes,
            max_partition_fetch_bytes=_PARTITION_BYTES,
            request_timeout_ms=self._kafka.request_timeout_ms,
        )
        stack.push_async_callback(self._stopped, consumer)
        await consumer.start()
        return consumer

    async def _stopped(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = None
        self.is_caught_up = False
        await stopped(consumer)

    async def _begin(self, consumer: AIOKafkaConsumer, identity: TopicIdentity, known: Mapping[int, Position]) -> None:
        """Seek to the stored positions, after the sink has stored what was lost."""
        partitions = [TopicPartition(self.topic, partition) for partition in sorted(identity.partitions)]
        consumer.assign(partitions)
        begin = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
        due = await self._since(consumer, identity, known, end)
        positions, losses = resume(
            identity, due, {tp.partition: offset for tp, offset in begin.items()}, {tp.partition: offset for tp, offset in end.items()}
        )
        if losses or any(position != known.get(position.partition) for position in positions):
            await self._sink.store((), losses, positions, NO_POISON)
        for position in positions:
            consumer.seek(TopicPartition(self.topic, position.partition), position.next_offset)
        self._incarnations = {position.partition: position.incarnation for position in positions}
        self._stored = {position.partition: position.next_offset for position in positions}
        self._ends = end
        self._consumer = consumer

    async def _since(
        self, consumer: AIOKafkaConsumer, identity: TopicIdentity, known: Mapping[int, Position], end: Mapping[TopicPartition, int]
    ) -> Mapping[int, Position]:
        """Return where partitions go on, with those that were never read."""
        new = [tp for tp in end if tp.partition not in known]
        if self._since_s is None or not new:
            return known
        at = await consumer.offsets_for_times(dict.fromkeys(new, int(self._since_s() * 1000)))
        found = {tp.partition: Position(tp.partition, identity.id, at[tp].offset if at[tp] is not None else end[tp]) for tp in new}
        return {**known, **found}

    async def _catch_up(self, consumer: AIOKafkaConsumer) -> None:
        """Look whether all is stored that was there; called when all that was fetched is stored. The last offsets may be markers."""
        self.is_caught_up = all([await consumer.position(tp) >= end for tp, end in self._ends.items()])

    async def _read(self, consumer: AIOKafkaConsumer, topics: TopicIds, identity: TopicIdentity) -> None:
        """Store batch after batch until the topic is another one or has other partitions."""
        while True:
            records = _flat(await consumer.getmany(timeout_ms=_IDLE_MS, max_records=self._flush.records))
            if await topics.identity(self.topic) != identity:
                return
            if records:
                positions = self._after(records)
                await self._stored_in_the_end(records, positions)
                self._stored.update({position.partition: position.next_offset for position in positions})
            if not self.is_caught_up:
                await self._catch_up(consumer)

    async def _stored_in_the_end(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        """Store a batch; what our code fails on as what it was (`poison`). Raises Unavailable, and the sink's errors."""
        poison = NO_POISON
        try:
            await self._sink.store(records, (), positions, poison)
        except Exception as error:
            if waits(error):
                raise
            poison = self._poison(records)
            if not poison:
                raise  # no record is at fault
            await self._sink.positions(self.topic)
            await self._sink.store(records, (), positions, poison)
        self._isolation.stored(poison, len(poison) < len(records))

    def _poison(self, records: Sequence[Record]) -> Poison:
        """Return which records can't be read. Raises Unavailable when that is no record's fault: what comes behind them will tell."""
        found: dict[Place, Exception] = {}
        answered = False
        for record in records:
            try:
                answered |= self._sink.read(record)
            except Exception as error:
                found[place_of(record)] = error
        try:
            self._isolation.check(found, answered)
        except AllFailedError as failed:
            log.error("%s stands: %s", self.topic, failed)
            raise Unavailable("nothing can be read", reason=INTERNAL_ERROR) from failed
        return found

    def _after(self, records: Sequence[Record]) -> list[Position]:
        last = {record.partition: record.offset + 1 for record in records}
        return [Position(partition, self._incarnations[partition], offset) for partition, offset in sorted(last.items())]


def _flat(fetched: Mapping[TopicPartition, Sequence[Record]]) -> list[Record]:
    return [record for records in fetched.values() for record in records]
