"""Events for whoever listens, by faststream: published one after the other, followed from the beginning of what is retained (ADR 28).

For consumers that need no transaction of their own, no group and no position: whoever starts reads everything again. What is answered, or
kept in a database, goes the other ways (`exactly_once`, `offsets_in_db`, ADR 7).

Surprising: faststream is given no say in what a record is. It would decode headers strictly and guess a format from the bytes; here records
come as aiokafka read them, and a handler that fails on one has failed on that one alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from meshkit.config import KafkaSettings
from meshkit.errors import FailedPrecondition
from meshkit.events import backoff
from meshkit.events.clients import event_log_down, stopped
from meshkit.events.connection import connection
from meshkit.events.message import Message, Record
from meshkit.events.publisher import not_recorded

log = logging.getLogger(__name__)
_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
_STOP_S = 3.0


class _Producer(AioKafkaFastProducerImpl):
    """faststream's own, which forgets a client that could not be started."""

    __slots__ = ()

    async def connect(self, producer: AIOKafkaProducer, serializer: Any, codec: Any = None) -> None:
        """Start it; one that can't be is closed."""
        try:
            await super().connect(producer, serializer, codec)
        except BaseException:
            await stopped(producer)
            raise


def _broker(kafka: KafkaSettings, *, reads: bool) -> KafkaBroker:
    """Return a broker of faststream that reaches Kafka as every other client of ours does. Raises FailedPrecondition.

    ``reads``: and writes nothing.
    """
    options = connection(kafka)
    context, is_encrypted = options.get("ssl_context"), kafka.security_protocol.endswith("SSL")
    security: BaseSecurity | None = None
    if kafka.security_protocol.startswith("SASL"):
        kind = _SASL[kafka.sasl_mechanism]
        security = kind(kafka.sasl_username, kafka.sasl_password.get_secret_value(), ssl_context=context, use_ssl=is_encrypted)
    elif is_encrypted:
        security = BaseSecurity(ssl_context=context, use_ssl=True)
    broker = KafkaBroker(
        kafka.bootstrap_servers.split(","),
        security=security,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=kafka.request_timeout_ms,
        allow_auto_create_topics=False,
        consumer_only=reads,
        logger=log,
        log_level=logging.DEBUG,
    )
    if not reads:
        broker.config.broker_config.producer = _Producer(parser=None, decoder=None)
    return broker


async def _stopped(broker: KafkaBroker) -> None:
    """Stop within seconds, whatever state Kafka is in."""
    stopping = asyncio.ensure_future(broker.stop())
    done, _ = await asyncio.wait({stopping}, timeout=_STOP_S)
    if not done:
        stopping.cancel()
    elif not stopping.cancelled():
        stopping.exception()  # it is over either way


class Announcer:
    """Publishes to everybody who listens. Connects with its first message; methods raise Unavailable. ``aclose`` it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._broker: KafkaBroker | None = None

    async def announce(self, message: Message) -> None:
        """Return when all in-sync replicas have it; its partition is the key's. Raises Unavailable (EVENT_LOG_DOWN, NOT_RECORDED)."""
        broker = await self._connected()
        headers = {name: value.decode() for name, value in message.headers}
        try:
            await broker.publish(message.value, message.topic, key=message.key, headers=headers)
        except (KafkaError, OSError) as error:
            raise not_recorded() from error

    async def _connected(self) -> KafkaBroker:
        if self._broker is None:
            try:
                broker = _broker(self._kafka, reads=False)
                await broker.start()
            except (KafkaError, OSError, FailedPrecondition) as error:
                raise event_log_down() from error
            self._broker = broker
        return self._broker

    async def aclose(self) -> None:
        """Close its connections."""
        if self._broker is not None:
            broker, self._broker = self._broker, None
            await _stopped(broker)


async def follow(kafka: KafkaSettings, topic: str, take: Callable[[Record], None]) -> None:
    """Hand over every record of a topic that is retained, then every new one, in the order of its partition; for ever.

    ``take`` may raise for a record, which is then logged and left. While Kafka is away it is waited for.
    """
    attempt = 0
    while True:
        try:
            broker = _broker(kafka, reads=True)
        except FailedPrecondition:
            attempt = await backoff.pause(attempt)
            continue
        subscriber = broker.subscriber(
            kafka.topic_prefix + topic,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            parser=_parsed,
            decoder=_as_read,
        )
        subscriber(_handler(take))
        try:
            await broker.start()
            await asyncio.Event().wait()
        except (KafkaError, OSError) as error:
            log.warning("a topic can't be followed", extra={"facts": {"topic": topic, "error": type(error).__name__}})
        finally:
            await _stopped(broker)
        attempt = await backoff.pause(attempt)


def _handler(take: Callable[[Record], None]) -> Callable[[Any], Any]:
    async def handle(record: Any) -> None:
        try:
            take(record)
        except Exception:
            log.exception("a record could not be taken", extra={"facts": {"topic": record.topic, "offset": record.offset}})

    return handle


async def _parsed(record: ConsumerRecord) -> KafkaMessage:
    name = f"{record.offset}-{record.timestamp}"
    return KafkaMessage(body=record.value or b"", headers={}, raw_message=record, message_id=name, consumer=FAKE_CONSUMER)


async def _as_read(message: KafkaMessage) -> Any:
    return message.raw_message
