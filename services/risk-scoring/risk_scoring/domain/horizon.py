"""How old an event may be, and how far ahead of our clock (rule D16): one definition for both paths, and for whatever embeds a time.

A time that lies ahead is refused wherever it comes in (transactions, what labels and reports embed, files of the past): counted once, it
would stand before everything that follows. What is reported afterwards may be of any age (a chargeback comes on day 60).
"""

from __future__ import annotations

from typing import Protocol

from meshkit.errors import FieldViolation, InvalidArgument, TooOld

FUTURE_S = 300  # clocks of others may run ahead this much
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799  # of a google.protobuf.Timestamp: the years 1 to 9999


class Timestamp(Protocol):
    """Seconds since 1970 and nanoseconds, as they came."""

    @property
    def seconds(self) -> int: ...

    @property
    def nanos(self) -> int: ...


def time_us(timestamp: Timestamp, field: str, reason: str) -> int:
    """Return a Timestamp's microseconds since 1970. Raises InvalidArgument with ``reason`` for what is none."""
    seconds, nanos = timestamp.seconds, timestamp.nanos
    if 0 <= nanos <= 999_999_999 and _FIRST_S <= seconds <= _LAST_S:
        return seconds * 1_000_000 + nanos // 1_000
    raise InvalidArgument(f"{field} is no time", reason=reason, violations=(FieldViolation(field, "must be a valid Timestamp"),))


def check_not_ahead(time_us: int, now_s: float) -> None:
    """Raise InvalidArgument (IN_THE_FUTURE) too far ahead of our clock."""
    if time_us / 1_000_000 - now_s > FUTURE_S:
        raise InvalidArgument("the event lies in the future", reason="IN_THE_FUTURE")


def check_age(event_time_us: int, now_s: float, horizon_s: float) -> None:
    """Raise TooOld beyond the dedupe horizon, InvalidArgument (IN_THE_FUTURE) too far ahead."""
    if now_s - event_time_us / 1_000_000 > horizon_s:
        raise TooOld("older than the dedupe horizon")
    check_not_ahead(event_time_us, now_s)
