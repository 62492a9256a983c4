"""One idempotent producer outside of transactions: what it acknowledged stands on all in-sync replicas.

Methods raise Unavailable: EVENT_LOG_DOWN when no broker answers, NOT_RECORDED when it is not known whether a message was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from meshkit.config import KafkaSettings
from meshkit.errors import FailedPrecondition, Unavailable
from meshkit.events import clients, direct
from meshkit.events.clients import event_log_down, stopped
from meshkit.events.message import Message


class Publisher:
    """Connects with its first message."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def aclose(self) -> None:
        """Flush and close."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stopped(producer)

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        producer = await self._connected()
        try:
            return len(await producer.partitions_for(topic))
        except KafkaError as error:
            raise not_recorded() from error

    async def send(self, messages: Iterable[Message]) -> Sequence[Awaitable[RecordMetadata]]:
        """Hand messages over; they leave in this order. What is returned is for ``recorded``, at once."""
        producer, messages = await self._connected(), list(messages)
        if len(messages) == 1 and (way := direct.free(producer, messages[0])) is not None:
            return [way.go()]
        try:
            return [await producer.send(m.topic, m.value, m.key, m.partition, headers=list(m.headers)) for m in messages]
        except KafkaError as error:
            raise not_recorded() from error

    async def write(self, messages: Iterable[Message]) -> None:
        """Send and wait."""
        await recorded(await self.send(messages))

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is not None:
            return self._producer
        async with self._starting:
            if self._producer is None:
                self._producer = await self._started()
            return self._producer

    async def _started(self) -> AIOKafkaProducer:
        try:
            return await clients.started(clients.producer(self._kafka))
        except (KafkaError, OSError, FailedPrecondition) as error:  # the last: the authority's file can't be used, now
            raise event_log_down() from error


async def recorded(sent: Sequence[Awaitable[RecordMetadata]]) -> None:
    """Return when all in-sync replicas have what was sent."""
    try:
        if len(sent) == 1:
            await sent[0]
        else:
            await asyncio.gather(*sent)
    except KafkaError as error:
        raise not_recorded() from error


def not_recorded() -> Unavailable:
    """Return the error of a write whose end is unknown."""
    return Unavailable("it could not be recorded", reason="NOT_RECORDED", retry_after_s=0.2)
