"""One input partition of `exactly_once`: its batches in, their answers and offsets out in one transaction.

The worker has a reader and a transactional producer of its own. The transactional id belongs to the input partition and is initialised
on assignment (rule D11): whoever initialises it last fences everybody before, so a paused process can never commit. After answers were
sent, an abort, a fence or a commit of unknown outcome makes producer and reader anew, and reading goes on at the committed offset (rule
D12): behind what was read, the lost batch would be skipped. A handler that could not answer leaves nothing but offsets to abort: its
worker keeps the batch and the right to answer it. A record that the handler alone fails on becomes a dead letter (`poison`); a batch that
fails as a whole makes the partition stand, while what comes behind it joins it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError

from meshkit.config import KafkaSettings
from meshkit.crypto.seal import Sealer
from meshkit.errors import Unavailable
from meshkit.events import backoff
from meshkit.events.clients import stopped
from meshkit.events.dead_letter import SUFFIX, rejected
from meshkit.events.health import Health, reason_of
from meshkit.events.message import Message, Record
from meshkit.events.poison import (
    INTERNAL_ERROR,
    NO_POISON,
    AllFailedError,
    FaultError,
    Isolation,
    Poison,
    failing_alone,
    internal_error,
    place_of,
    waits,
)
from meshkit.events.transactional import Written, join, send_all, start_reader, start_transactional, transactional_id

log = logging.getLogger(__name__)

_STAND_S = (0.5, 1.0, 2.0, 5.0, 10.0)  # between looks at a batch of which all failed: each look handles every record of it alone
_IDLE_MS = 1_000
_GATHER_S = 0.25e-3  # for each record of the batch before
_CALM_S = 5.0  # a worker that ran for so long begins its next pauses from the shortest


class BatchHandler(Protocol):
    """What turns records into messages. It must give the same messages for the same records, however often it is called."""

    async def assigned(self, partition: int, epoch: int) -> None:
        """Called when this process alone may answer the partition, before its first record, and after its records were looked at alone.

        ``epoch`` grows every time.
        """
        ...

    async def handle(self, partition: int, records: Sequence[Record]) -> Sequence[Message]:
        """Return what the records' transaction shall hold. Raises Unavailable when a neighbour is down: the same records come again.

        Whatever else it raises is held against the records (`poison`): they come again one by one.
        """
        ...

    async def confirm(self, partition: int) -> None:
        """Called when the batch's messages are in the log but not committed. Raises Unavailable to have the batch done again."""
        ...

    async def committed(self, partition: int, written: Written) -> None:
        """Called after the commit with the last offset written to each (topic, partition)."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What the workers of one topic share. ``member``: of the group; it knows what was committed, and reads nothing."""

    kafka: KafkaSettings
    group: str
    handler: BatchHandler
    health: Health
    sealer: Sealer
    isolation: Isolation
    max_batch: int
    linger_s: float
    busy_linger_s: float
    member: AIOKafkaConsumer


def linger_s(work: Work, before: int) -> float:
    """Return how long a partition without a backlog waits after a batch of ``before`` records.

    Most of what a small batch costs is the transaction around it: the busier a partition is, the more of its records share one.
    """
    return max(work.linger_s, min(before * _GATHER_S, work.busy_linger_s))


class PartitionWorker:
    """Answers one partition until it is cancelled."""

    def __init__(self, work: Work, tp: TopicPartition) -> None:
        self._work = work
        self._tp = tp
        self._component = f"stream-{tp.partition}"

    async def run(self) -> None:
        """Hold the partition for as long as it is assigned."""
        attempt = 0
        health, kafka = self._work.health, self._work.kafka
        while True:
            producer: AIOKafkaProducer | None = None
            reader: AIOKafkaConsumer | None = None
            began_s = time.monotonic()
            try:
                producer = await start_transactional(kafka, transactional_id(kafka, self._work.group, self._tp.partition))
                await self._assigned()
                reader = await start_reader(kafka, self._tp, await self._committed())
                health.recovered(self._component)
                await self._loop(reader, producer)
            except (KafkaError, IllegalOperation, Unavailable) as error:
                log.warning("partition %s starts again from its committed offset: %s", self._tp.partition, type(error).__name__)
                health.degraded(self._component, reason_of(error))
                attempt = await backoff.pause(attempt if time.monotonic() - began_s < _CALM_S else 0)
            finally:
                if reader is not None:
                    await stopped(reader)
                if producer is not None:
                    await stopped(producer)  # the next holder of its id aborts what is left open

    async def _assigned(self) -> None:
        """Tell the handler until its neighbours are there. The producer stays: a new one would fence whoever answers meanwhile."""
        attempt = 0
        while True:
            try:
                return await self._work.handler.assigned(self._tp.partition, time.time_ns() // 1_000)
            except Unavailable as error:
                self._work.health.degraded(self._component, error.reason)
                attempt = await backoff.pause(attempt)

    async def _committed(self) -> int:
        """Return the offset behind the last answered record."""
        member = self._work.member
        committed: int | None = await member.committed(self._tp)
        return int((await member.beginning_offsets([self._tp]))[self._tp]) if committed is None else committed

    async def _loop(self, reader: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        """Answer batch after batch; a backlog's next records are fetched meanwhile."""
        written: Written = {}
        before = 0
        while True:
            records = await self._fetched(reader, before)
            before = len(records)
            written = await self._answered_in_the_end(reader, producer, records, written)
            await self._work.handler.committed(self._tp.partition, written)

    async def _fetched(self, reader: AIOKafkaConsumer, before: int) -> Sequence[Record]:
        """Return the next batch's records, at least one. ``before``: how many the last one had."""
        if reader.paused():
            await asyncio.sleep(linger_s(self._work, before))
            reader.resume(self._tp)
        records: Sequence[Record] | None = None
        while not records:
            backoff.end_if_cancelled()
            records = (await reader.getmany(timeout_ms=_IDLE_MS, max_records=self._work.max_batch)).get(self._tp)
        if records[-1].offset + 1 >= (reader.last_stable_offset(self._tp) or 0):
            reader.pause(self._tp)  # no backlog: what is fetched when this batch is done is fresher than what is fetched now
        return records

    async def _answered_in_the_end(
        self, reader: AIOKafkaConsumer, producer: AIOKafkaProducer, records: Sequence[Record], likely: Iterable[tuple[str, int]]
    ) -> Written:
        """Answer a batch; while all of it fails, stand, and look again together with what came behind it."""
        attempt = 0
        while True:
            try:
                return await self._answered(producer, records, likely)
            except AllFailedError as failed:
                log.error("partition %s of %s stands: %s", self._tp.partition, self._tp.topic, failed)
                self._work.health.degraded(self._component, INTERNAL_ERROR)
            attempt = await backoff.pause(attempt, _STAND_S)
            if room := self._work.max_batch - len(records):
                reader.resume(self._tp)
                more = await reader.getmany(timeout_ms=_IDLE_MS, max_records=room)
                records = [*records, *more.get(self._tp, ())]

    async def _answered(self, producer: AIOKafkaProducer, records: Sequence[Record], likely: Iterable[tuple[str, int]]) -> Written:
        """Answer a batch, however long its handler's neighbours are away: the input waits, its lag says so. Raises AllFailedError."""
        attempt = 0
        poison = NO_POISON
        faulty = False
        while True:
            try:
                if faulty:
                    found = await self._poison(records)
                    if found.keys() == poison.keys() and len(records) > 1:
                        return await self._in_halves(producer, records, likely)
                    poison = found
                written, answered = await self._transacted(producer, records, poison, likely)
            except FaultError:
                faulty = True
            except _NeighbourDownError as down:
                self._work.health.degraded(self._component, reason_of(down.error))
                attempt = await backoff.pause(attempt)
            else:
                if attempt or faulty:
                    self._work.health.recovered(self._component)
                self._work.isolation.stored(poison, answered)
                return written

    async def _in_halves(self, producer: AIOKafkaProducer, records: Sequence[Record], likely: Iterable[tuple[str, int]]) -> Written:
        """Answer records that fail together, and not alone."""
        middle = len(records) // 2
        written = await self._answered(producer, records[:middle], likely)
        return written | await self._answered(producer, records[middle:], likely)

    async def _poison(self, records: Sequence[Record]) -> Poison:
        """Return which records the handler fails on alone. Raises AllFailedError, _NeighbourDownError."""

        async def attempt(part: Sequence[Record]) -> bool:
            return _answers(await self._handled(part))

        found, answered = await failing_alone(records, attempt)
        self._work.isolation.check(found, answered)
        await self._assigned()  # what it numbered meanwhile is never sent: a new epoch, and no false gap (rule D3)
        return found

    async def _transacted(
        self, producer: AIOKafkaProducer, records: Sequence[Record], poison: Poison, likely: Iterable[tuple[str, int]]
    ) -> tuple[Written, bool]:
        """Commit offsets and answers together; returns what was written, and whether there are answers and not dead letters alone.

        The offsets, and the partitions that the answers are ``likely`` to go to, join the transaction while the answers are made. They
        can't join it beside these: the broker would refuse one of both.
        """
        group = self._work.kafka.topic_prefix + self._work.group
        async with producer.transaction():
            join(producer, likely)
            offsets = asyncio.ensure_future(producer.send_offsets_to_transaction({self._tp: records[-1].offset + 1}, group))
            try:
                messages = await (self._handled_without(records, poison) if poison else self._handled(records))
                await offsets
            except (_NeighbourDownError, FaultError):
                await offsets  # a fence met meanwhile outweighs them: this producer can't begin again
                raise
            finally:
                offsets.cancel()
            written = await send_all(producer, messages)
            await self._work.handler.confirm(self._tp.partition)
            return written, _answers(messages)

    async def _handled(self, records: Sequence[Record]) -> Sequence[Message]:
        """Return the handler's answers. Raises FaultError when it failed on the records, _NeighbourDownError when it could not work."""
        try:
            return await self._work.handler.handle(self._tp.partition, records)
        except (KafkaError, IllegalOperation):
            raise
        except Exception as error:
            raise (_NeighbourDownError(error) if waits(error) else FaultError()) from error

    async def _handled_without(self, records: Sequence[Record], poison: Poison) -> Sequence[Message]:
        """Return the answers of the good records, and dead letters."""
        good = [record for record in records if place_of(record) not in poison]
        answers = await self._handled(good) if good else ()
        bad = [record for record in records if place_of(record) in poison]
        return [*answers, *(rejected(self._work.sealer, record, internal_error(poison[place_of(record)])) for record in bad)]


def _answers(messages: Sequence[Message]) -> bool:
    return any(not message.topic.endswith(SUFFIX) for message in messages)


class _NeighbourDownError(Exception):
    """The handler could not answer; nothing was sent."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
