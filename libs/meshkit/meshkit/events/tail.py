"""Follow a topic without an end, outside of any consumer group: looking on moves nobody's offsets."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from meshkit.config import KafkaSettings
from meshkit.errors import NotFound
from meshkit.events import clients
from meshkit.events.message import Record

_PATIENCE_MS = 5_000  # a person waits


async def tail(kafka: KafkaSettings, topic: str, from_start: bool) -> AsyncGenerator[Record]:
    """Yield what is committed in every partition. Raises NotFound (TOPIC_NOT_FOUND) and Unavailable."""
    reset = "earliest" if from_start else "latest"
    consumer = clients.consumer(kafka, topic, auto_offset_reset=reset, request_timeout_ms=_PATIENCE_MS)
    try:
        await consumer.start()
        async for record in consumer:
            yield record
    except UnknownTopicOrPartitionError as error:
        raise NotFound(f"no topic {topic}", reason="TOPIC_NOT_FOUND") from error
    except KafkaError as error:
        raise clients.event_log_down() from error
    finally:
        await clients.stopped(consumer)
