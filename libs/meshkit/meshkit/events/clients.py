"""Every producer and consumer of finmesh is made, started and closed here; nobody else configures a client of aiokafka."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.connection import connection

log = logging.getLogger(__name__)
_STOP_S = 3.0


class Client(Protocol):
    """A producer or consumer of aiokafka."""

    def start(self) -> Awaitable[None]:
        """Open its connections."""
        ...

    def stop(self) -> Awaitable[None]:
        """Close its connections."""
        ...


_Client = TypeVar("_Client", bound=Client)


def producer(kafka: KafkaSettings, **own: Any) -> AIOKafkaProducer:
    """Return an idempotent producer whose messages all in-sync replicas acknowledge."""
    return AIOKafkaProducer(
        **connection(kafka),
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=kafka.request_timeout_ms,
        **own,
    )


def consumer(
    kafka: KafkaSettings, *topics: str, auto_offset_reset: str = "earliest", isolation_level: str = "read_committed", **own: Any
) -> AIOKafkaConsumer:
    """Return a consumer that says what it wants (rule D13): it commits nothing by itself and belongs to no group unless told one."""
    return AIOKafkaConsumer(
        *topics,
        **connection(kafka),
        enable_auto_commit=False,
        auto_offset_reset=auto_offset_reset,
        isolation_level=isolation_level,
        **own,
    )


async def started(client: _Client) -> _Client:
    """Start a client and return it; one that can't start is closed. Raises KafkaError.

    Whoever is cancelled meanwhile waits a moment for the start to end: broken off, aiokafka forgets the connection that it is making.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except BaseException:
        await asyncio.wait({starting}, timeout=_STOP_S)
        starting.cancel()
        await asyncio.wait({starting}, timeout=_STOP_S)
        await stopped(client)
        raise
    return client


async def started_for(consumer: AIOKafkaConsumer, topic: str) -> AIOKafkaConsumer:
    """Start a consumer that knows the topic's partitions, and return it; one that can't is closed. Raises KafkaError.

    Of a topic that was made a moment ago a broker may not have heard yet. A member that joins its group then is assigned none of its
    partitions, and aiokafka looks again after five minutes.
    """
    await started(consumer)
    try:
        await consumer._client.add_topic(topic)  # aiokafka has no public word for asking before a consumer subscribes
        if not consumer.partitions_for_topic(topic):
            raise UnknownTopicOrPartitionError(topic)
    except BaseException:
        await stopped(consumer)
        raise
    return consumer


async def stopped(client: Client) -> None:
    """Stop a client within seconds, whatever state its broker is in; raises nothing but our own cancellation.

    While the broker is away aiokafka's own cancelled fetches escape from ``stop`` as if the caller were cancelled.
    """
    stopping = asyncio.ensure_future(client.stop())
    done, _ = await asyncio.wait({stopping}, timeout=_STOP_S)
    if not done:
        stopping.cancel()
        log.warning("a client did not stop in time")
    elif stopping.cancelled() or stopping.exception() is not None:
        log.warning("a client did not stop cleanly")


def event_log_down(but: str = "") -> Unavailable:
    """Return the one error of brokers that do not answer."""
    return Unavailable(f"the event log does not answer{but}", reason="EVENT_LOG_DOWN", retry_after_s=0.5)
