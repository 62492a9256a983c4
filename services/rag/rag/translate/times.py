"""Timestamps of messages to microseconds and back. What a message embeds is bounded like the message itself."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.errors import FieldViolation, InvalidArgument

from rag.domain.document import FOREVER

_LATEST_S = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that a Timestamp may hold


def micros(timestamp: Timestamp, field: str) -> int:
    """Return Unix time in microseconds. Raises InvalidArgument (TIME_INVALID) before 1970, after 9999 and for nanos out of range."""
    if not (0 <= timestamp.seconds <= _LATEST_S and 0 <= timestamp.nanos < 1_000_000_000):
        problem = "is a time from 1970 to 9999"
        raise InvalidArgument(f"{field} {problem}", reason="TIME_INVALID", violations=(FieldViolation(field, problem),))
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000


def set_micros(timestamp: Timestamp, time_us: int | None) -> None:
    """Write a time; what is absent or for ever stays absent."""
    if time_us is not None and 0 < time_us < FOREVER:
        timestamp.seconds, timestamp.nanos = time_us // 1_000_000, time_us % 1_000_000 * 1_000
