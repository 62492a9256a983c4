"""The Kafka clients of one input partition: the transactional producer of its answers, and the reader of its records."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from meshkit.config import KafkaSettings
from meshkit.events import clients
from meshkit.events.message import Message
from meshkit.events.publisher import not_recorded

Written = dict[tuple[str, int], int]  # last offset by (topic, partition)

_PRODUCE_BYTES = 1_000_000
_RETRY_MS = 5  # the broker refuses the next transaction until the last one's markers are written, a few milliseconds after its end
_FETCH_BYTES = 1024 * 1024


def transactional_id(kafka: KafkaSettings, group: str, partition: int) -> str:
    """Return the id under which the partition's answers are written; holding it is holding the right to answer."""
    return f"{kafka.topic_prefix}{group}-{partition}"


async def start_transactional(kafka: KafkaSettings, transaction_id: str) -> AIOKafkaProducer:
    """Return a started producer that has fenced every earlier holder of the id; raises KafkaError."""
    return await clients.started(
        clients.producer(
            kafka,
            transactional_id=transaction_id,
            transaction_timeout_ms=kafka.transaction_timeout_ms,
            retry_backoff_ms=_RETRY_MS,
            max_batch_size=_PRODUCE_BYTES,
            max_request_size=4 * _PRODUCE_BYTES,
        )
    )


async def start_reader(kafka: KafkaSettings, place: TopicPartition, offset: int) -> AIOKafkaConsumer:
    """Return a started reader of one partition from an offset on; it belongs to no group. Raises KafkaError.

    aiokafka has one fetch under way for each broker: a reader of several partitions would make those that are ready wait for a fetch of
    the others.
    """
    reader = await clients.started(clients.consumer(kafka, max_partition_fetch_bytes=_FETCH_BYTES))
    reader.assign([place])
    reader.seek(place, offset)
    return reader


def join(producer: AIOKafkaProducer, places: Iterable[tuple[str, int]]) -> None:
    """Have partitions join the open transaction before there is anything to send to them; those that get nothing get its marker alone.

    aiokafka asks the broker on the first send, which costs the answers a round trip, and has no public word for asking before.
    """
    for topic, partition in places:
        producer._txn_manager.maybe_add_partition_to_txn(TopicPartition(topic, partition))


async def send_all(producer: AIOKafkaProducer, messages: Sequence[Message]) -> Written:
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


class TransactionalPublisher:
    """Holds a transactional id and writes under it, one transaction each time. Methods raise Unavailable, as `publisher` has it."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    @classmethod
    async def holding(cls, kafka: KafkaSettings, transaction_id: str) -> TransactionalPublisher:
        """Take the id: whoever held it is fenced."""
        try:
            return cls(await start_transactional(kafka, transaction_id))
        except KafkaError as error:
            raise clients.event_log_down() from error

    async def write(self, messages: Sequence[Message]) -> Written:
        """Commit messages; returns the last offset of each partition. After a failure the id has to be taken anew."""
        try:
            async with self._producer.transaction():
                return await send_all(self._producer, messages)
        except (KafkaError, IllegalOperation) as error:
            raise not_recorded() from error

    async def aclose(self) -> None:
        """Close the connection; the next holder of the id aborts what is left open."""
        await clients.stopped(self._producer)
