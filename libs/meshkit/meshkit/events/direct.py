"""One message straight to its partition's leader, for who sends one at a time and waits for it.

aiokafka's sender wakes up for every message, drains, starts a task, and waits for all that may happen: it is made for many at once, and
for one it costs more than the message. Here the batch leaves in the caller's own task. It is of the same idempotent producer, with the next
number of its partition, and only where nothing of that partition is under way. Whatever goes wrong, the batch is handed to the sender with
the number that it has, and goes on there by aiokafka's rules; a broker that has it already says so.

aiokafka has no public word for any of this: the names with an underscore are those of the release that is pinned.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.structs import RecordMetadata

from meshkit.events.message import Message

_SMALL_BYTES = 16_384  # what a batch of the producer holds; the limits of larger messages are the producer's matter
_API, _VERSION = 0, 7  # Produce, the newest that aiokafka speaks
_DUPLICATE = 46  # DUPLICATE_SEQUENCE_NUMBER: it is there, the broker forgot where


class _Answer(NamedTuple):
    """What a broker says of one batch."""

    error: int
    offset: int
    timestamp_ms: int
    log_start: int


class _Response:
    @staticmethod
    def decode(response: BytesIO) -> _Answer:
        """Read what stands behind the header: one topic with one partition."""
        topics, length = struct.unpack(">ih", response.read(6))
        response.seek(length, 1)
        partitions, _, *answer = struct.unpack(">iihqqq", response.read(34))
        if topics != 1 or partitions != 1:
            raise KafkaError("the answer is of other batches")
        return _Answer(*answer)


class _Correlation(NamedTuple):
    correlation_id: int


class _Encoded(bytes):
    def encode(self) -> bytes:
        return self


class _Produce:
    """A Produce request of one batch, and how its response is read: what aiokafka's connections ask of their own requests."""

    __slots__ = ("_acks", "_batch", "_head", "_partition", "_timeout_ms", "_topic")

    def __init__(self, tp: TopicPartition, batch: bytes, acks: int, timeout_ms: int) -> None:
        self._topic, self._partition, self._batch = tp.topic.encode(), tp.partition, batch
        self._acks, self._timeout_ms = acks, timeout_ms
        self._head = b""

    RESPONSE_TYPE = _Response

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> _Produce:
        """Return the request for a broker that speaks these versions."""
        low, high = versions.get(_API, (0, -1))
        if not low <= _VERSION <= high:
            raise KafkaError("the broker speaks another version")
        return self

    def build_request_header(self, correlation_id: int, client_id: str) -> _Encoded:
        """Return the header."""
        name = client_id.encode()
        return _Encoded(struct.pack(f">hhih{len(name)}s", _API, _VERSION, correlation_id, len(name), name))

    def encode(self) -> bytes:
        """Return what follows the header: no transaction, acks, timeout, one topic with one partition."""
        topic, batch = self._topic, self._batch
        head = f">hhiih{len(topic)}siii"
        return struct.pack(head, -1, self._acks, self._timeout_ms, 1, len(topic), topic, 1, self._partition, len(batch)) + batch

    def parse_response_header(self, response: BytesIO) -> _Correlation:
        """Read the header."""
        return _Correlation(*struct.unpack(">i", response.read(4)))


class Way:
    """The free way of one message to its partition; taken, it must be gone."""

    __slots__ = ("_accumulator", "_batch", "_leader", "_producer", "_sender")

    def __init__(self, producer: AIOKafkaProducer, leader: int, batch: MessageBatch) -> None:
        self._producer, self._leader, self._batch = producer, leader, batch
        self._accumulator, self._sender = producer._message_accumulator, producer._sender
        self._accumulator._batches[batch.tp].append(batch)
        self._accumulator._pop_batch(batch.tp)  # which numbers it
        self._sender._muted_partitions.add(batch.tp)

    async def go(self) -> RecordMetadata:
        """Return where the message stands. Raises KafkaError."""
        batch, sender = self._batch, self._sender
        request = _Produce(batch.tp, batch.get_data_buffer(), sender._acks, sender._request_timeout_ms)
        answered = False
        try:
            answer: Any = await self._producer.client.send(self._leader, request)
            if answer.error in (0, _DUPLICATE):
                answered = True
                batch.done(answer.offset, answer.timestamp_ms, answer.log_start)
        except KafkaError:
            pass  # as with an error that is answered: the sender finds out what is to be done
        finally:
            if not answered:
                batch.future.add_done_callback(_seen)  # whoever waits may be gone by then
                self._accumulator.reenqueue(batch)
            sender._muted_partitions.remove(batch.tp)
            if batch.tp in self._accumulator._batches and not self._accumulator._waiter_future.done():
                self._accumulator._waiter_future.set_result(None)
        metadata: RecordMetadata = batch.future.result() if answered else await asyncio.shield(batch.future)
        return metadata


def _seen(future: asyncio.Future[RecordMetadata]) -> None:
    if not future.cancelled():
        future.exception()


def free(producer: AIOKafkaProducer, message: Message) -> Way | None:
    """Take the way of a message if nothing of its partition is under way; None where the sender has to see to it."""
    tp = TopicPartition(message.topic, message.partition)
    leader = producer.client.cluster.leader_for_partition(tp)
    if leader is None or leader == -1 or len(message.value) > _SMALL_BYTES:
        return None
    accumulator = producer._message_accumulator
    if tp in producer._sender._muted_partitions or tp in accumulator._batches or accumulator._closed or accumulator._exception is not None:
        return None
    builder = producer.create_batch()
    if builder.append(timestamp=None, key=message.key, value=message.value, headers=list(message.headers)) is None:
        return None
    return Way(producer, leader, MessageBatch(tp, builder, accumulator._batch_ttl, 0))
