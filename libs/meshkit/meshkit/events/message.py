"""One event to send, in the CloudEvents Kafka binding (binary mode): attributes in headers, protobuf in the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one partition of one topic (both without environment prefix handling: names are final)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


def cloud_event(
    event_id: str, event_type: str, source: str, time_s: float, traceparent: str | None = None, content_type: str = "application/protobuf"
) -> list[tuple[str, bytes]]:
    """Return CloudEvents 1.0 headers; ``time_s`` is seconds since the epoch, written as RFC 3339 in UTC."""
    stamp = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", event_type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", stamp.encode()),
        ("content-type", content_type.encode()),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return headers
