"""A day replayed fast: when each transaction is sent, and what time it says it happened.

Open loop: the schedule is fixed beforehand and never waits for answers, so that a slow system shows as latency and not as fewer
requests. Surprising: `event_span_s` decides what velocities look like. 0 squeezes the day into the time of sending (event time =
intended send time, and a card used five times a day is then used five times within seconds); 86,400 keeps the day's own spacing and
lets it end when sending begins.
"""

from dataclasses import dataclass, replace

import numpy as np

from simbank.schema import I64, Transactions


@dataclass(frozen=True)
class Replay:
    """Rows in the order of sending; `intended_us[i]` is when row i is to be sent (epoch microseconds)."""

    rows: Transactions
    intended_us: I64
    start_us: int
    rate_per_s: float

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: I64) -> "Replay":
        """The chosen rows at their own times, for another path or another process."""
        return replace(self, rows=self.rows.take(chosen), intended_us=self.intended_us[chosen])


def plan_replay(day: Transactions, *, rate_per_s: float, seconds: float, start_us: int, event_span_s: float = 0.0) -> Replay:
    """Take `rate_per_s * seconds` rows evenly from `day` (sorted by time) and schedule them from `start_us` on.

    Raises ValueError when the day is too small: a row is never sent twice under one identity.
    """
    wanted = round(rate_per_s * seconds)
    if not 0 < wanted <= len(day):
        raise ValueError(f"a day of {len(day)} transactions cannot be replayed as {wanted}")
    rows = day.take(np.arange(wanted) * len(day) // wanted)
    intended = start_us + (np.arange(wanted) * (1e6 / rate_per_s)).astype(np.int64)
    event_us = intended
    if event_span_s > 0:
        first, last = rows.event_time_us[0], max(rows.event_time_us[-1], rows.event_time_us[0] + 1)
        squeeze = min(event_span_s * 1e6 / float(last - first), 1.0)
        event_us = start_us - ((last - rows.event_time_us) * squeeze).astype(np.int64)
    return Replay(rows.replace(event_time_us=event_us), intended, start_us, rate_per_s)


def duplicates_of(replay: Replay, share: float, rng: np.random.Generator) -> tuple[I64, I64]:
    """Rows that are sent once more, as a switch does on a timeout: (row, intended_us) from 50 ms to 2 s after the first."""
    rows = np.flatnonzero(rng.random(len(replay)) < share)
    return rows, replay.intended_us[rows] + rng.integers(50_000, 2_000_000, len(rows))
