"""One event to send, in the CloudEvents Kafka binding (binary mode): attributes in headers, protobuf in the value; and one as read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from aiokafka import ConsumerRecord
from aiokafka.partitioner import murmur2

from meshkit.clock import utc_text

Record: TypeAlias = ConsumerRecord
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one partition of one topic (both without environment prefix handling: names are final)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives a key."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


_SPEC_VERSION = ("ce_specversion", b"1.0")


@lru_cache(maxsize=256)
def _constant(name: str, text: str) -> tuple[str, bytes]:
    """A header that every event of a kind carries alike."""
    return name, text.encode()


@lru_cache(maxsize=16)
def _stamp(time_ms: int) -> bytes:
    """RFC 3339 in UTC; events of a batch share the millisecond."""
    return f"{utc_text(time_ms // 1000)}.{time_ms % 1000:03d}Z".encode()


def cloud_event(
    event_id: str, event_type: str, source: str, time_s: float, traceparent: str | None = None, content_type: str = "application/protobuf"
) -> list[tuple[str, bytes]]:
    """Return CloudEvents 1.0 headers; ``time_s`` is seconds since the epoch, written as RFC 3339 in UTC."""
    headers = [
        _SPEC_VERSION,
        ("ce_id", event_id.encode()),
        _constant("ce_type", event_type),
        _constant("ce_source", source),
        ("ce_time", _stamp(round(time_s * 1000))),
        _constant("content-type", content_type),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return headers
