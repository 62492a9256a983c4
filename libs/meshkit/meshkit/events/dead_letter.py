"""Poison leaves the stream with its reason, never silently and never blocking what comes behind it.

The payload is sealed, the key is the topic's coordinates instead of the bank's key: a dead letter shows no personal data (rule D24).
"""

from __future__ import annotations

from meshkit.crypto.seal import Sealer
from meshkit.errors import MeshError, Unavailable
from meshkit.events.message import Message, Record
from meshkit.events.publisher import Publisher
from meshkit.telemetry.redactor import redact

SUFFIX = ".dead-letter"
MAX_DETAIL_BYTES = 512
MAX_SEALED_BYTES = 512 * 1024  # a poison message as large as the broker takes must not become a dead letter that it refuses


def rejected(sealer: Sealer, record: Record, error: MeshError) -> Message:
    """Return the message for the topic's dead-letter topic: reason, wrong fields (never values, and masked), coordinates, sealed payload.

    A payload above MAX_SEALED_BYTES is cut; the header ``payload_bytes`` tells its whole length.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    payload, key = record.value or b"", sealer.primary
    detail = "; ".join(f"{violation.field}: {violation.description}" for violation in error.violations) or error.message
    return Message(
        topic=record.topic + SUFFIX,
        partition=0,
        key=place.encode(),
        value=key.seal(payload[:MAX_SEALED_BYTES], place),
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
    """Writes dead letters outside of a transaction, by a publisher of its own: one that fails is made anew."""

    def __init__(self, publisher: Publisher, sealer: Sealer) -> None:
        self._publisher = publisher
        self._sealer = sealer

    async def write(self, record: Record, error: MeshError) -> None:
        """Write a record's dead letter, acknowledged by all in-sync replicas. Raises Unavailable."""
        try:
            await self._publisher.write([rejected(self._sealer, record, error)])
        except Unavailable:
            await self._publisher.aclose()
            raise
