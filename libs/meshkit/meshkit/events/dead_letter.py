"""Poison leaves the stream with its reason, never silently and never blocking what comes behind it.

The payload is sealed, the key is the topic's coordinates instead of the bank's key: a dead letter shows no personal data (rule D24).
"""

from __future__ import annotations

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError

from meshkit.config import KafkaSettings
from meshkit.crypto.seal import Sealer
from meshkit.errors import MeshError, Unavailable
from meshkit.events.connection import connection, stopped
from meshkit.events.message import Message
from meshkit.telemetry.redactor import redact

SUFFIX = ".dead-letter"
MAX_DETAIL_BYTES = 512
MOST_SEALED_BYTES = 512 * 1024  # a poison message as large as the broker takes must not become a dead letter that it refuses


def rejected(sealer: Sealer, record: ConsumerRecord, error: MeshError) -> Message:
    """Return the message for the topic's dead-letter topic: reason, wrong fields (never values, and masked), coordinates, sealed payload.

    A payload above MOST_SEALED_BYTES is cut; the header ``payload_bytes`` tells its whole length.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    payload, key = record.value or b"", sealer.primary
    detail = "; ".join(f"{violation.field}: {violation.description}" for violation in error.violations) or error.message
    return Message(
        topic=record.topic + SUFFIX,
        partition=0,
        key=place.encode(),
        value=key.seal(payload[:MOST_SEALED_BYTES], place),
        headers=[
            ("reason", error.reason.encode()),
            ("detail", redact(detail).encode()[:MAX_DETAIL_BYTES]),
            ("source_topic", record.topic.encode()),
            ("source_partition", str(record.partition).encode()),
            ("source_offset", str(record.offset).encode()),
            ("payload_bytes", str(len(payload)).encode()),
            ("sealed_key_id", key.id.encode()),
        ],
    )


class DeadLetterWriter:
    """Writes dead letters outside of a transaction, acknowledged by all in-sync replicas."""

    def __init__(self, kafka: KafkaSettings, sealer: Sealer) -> None:
        self._kafka = kafka
        self._sealer = sealer
        self._producer: AIOKafkaProducer | None = None

    async def aclose(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stopped(producer)

    async def write(self, record: ConsumerRecord, error: MeshError) -> None:
        """Write a record's dead letter. Raises Unavailable."""
        try:
            if self._producer is None:
                self._producer = AIOKafkaProducer(**connection(self._kafka), acks="all", enable_idempotence=True)
                await self._producer.start()
            letter = rejected(self._sealer, record, error)
            await self._producer.send_and_wait(letter.topic, letter.value, letter.key, letter.partition, headers=list(letter.headers))
        except KafkaError as failure:
            await self.aclose()
            raise Unavailable("the event log does not answer", reason="EVENT_LOG_DOWN", retry_after_s=0.5) from failure
