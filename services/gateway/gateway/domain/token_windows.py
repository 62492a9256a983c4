"""Windows in which tokens are counted: calendar minutes, and calendar days of a time zone. Pure.

A window has a name, so that whoever looks at the same moment, or reads a record of it a day later, names the same one. A day has 23 or 25
hours where clocks change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

Period = Literal["minute", "day"]
PERIODS: tuple[Period, ...] = ("minute", "day")
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Window:
    """One window: its name, and when it ends, in seconds since 1970."""

    period: Period
    name: str
    end_s: float


class Calendar:
    """Which window a moment lies in."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._days: dict[str, Window] = {}

    def window(self, period: Period, at_s: float) -> Window:
        """Return the window of a moment, in seconds since 1970."""
        if period == "minute":
            number = int(at_s // MINUTE_S)
            return Window("minute", f"m{number}", float((number + 1) * MINUTE_S))
        day = datetime.fromtimestamp(at_s, self._zone).date()
        name = f"d{day.isoformat()}"
        if name not in self._days:
            if len(self._days) > 100:
                self._days.clear()
            end = datetime.combine(day + timedelta(days=1), time(), self._zone)
            self._days[name] = Window("day", name, end.timestamp())
        return self._days[name]

    def windows(self, at_s: float) -> Sequence[Window]:
        """Return all windows of a moment."""
        return [self.window(period, at_s) for period in PERIODS]

    def day_begins_s(self, at_s: float) -> float:
        """Return when the day of a moment began."""
        day = datetime.fromtimestamp(at_s, self._zone).date()
        return datetime.combine(day, time(), self._zone).timestamp()
