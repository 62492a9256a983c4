"""Poison leaves the stream with its reason, never silently and never blocking what comes behind it.

The payload is sealed, the key is the topic's coordinates instead of the bank's key: a dead letter shows no personal data (rule D24).
"""

from __future__ import annotations

from meshkit.crypto.seal import Sealer
from meshkit.events.message import Message

SUFFIX = ".dead-letter"


def dead_letter(sealer: Sealer, topic: str, partition: int, offset: int, value: bytes | None, reason: str, detail: str) -> Message:
    """Return the message for the topic's dead-letter topic. ``detail`` names fields, never values."""
    place = f"{topic}/{partition}/{offset}"
    return Message(
        topic=topic + SUFFIX,
        partition=0,
        key=place.encode(),
        value=sealer.seal(value or b"", place),
        headers=[
            ("reason", reason.encode()),
            ("detail", detail.encode()[:512]),
            ("source_topic", topic.encode()),
            ("source_partition", str(partition).encode()),
            ("source_offset", str(offset).encode()),
            ("sealed_key_id", sealer.key_id.encode()),
        ],
    )
