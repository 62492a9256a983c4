"""How old an event may be, and how far ahead of our clock (rule D16); the same on both paths."""

from __future__ import annotations

from meshkit.errors import InvalidArgument, TooOld

FUTURE_S = 300  # clocks of others may run ahead this much


def check_age(event_time_us: int, now_s: float, horizon_s: float) -> None:
    """Raise TooOld beyond the dedupe horizon, InvalidArgument (IN_THE_FUTURE) too far ahead."""
    age_s = now_s - event_time_us / 1_000_000
    if age_s > horizon_s:
        raise TooOld("older than the dedupe horizon")
    if age_s < -FUTURE_S:
        raise InvalidArgument("the event lies in the future", reason="IN_THE_FUTURE")
