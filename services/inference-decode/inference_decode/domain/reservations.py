"""Which engine holds which reservation, until its time is over. Pure; the rows themselves are the engine's.

Surprising: a reservation that is over here may live a little longer there, never the other way round: this side counts from before it
asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshkit.errors import NotFound, Overloaded

MOST = 4096
LONGEST_TTL_MS = 60_000


@dataclass(frozen=True, slots=True)
class Reservation:
    """``incarnation``: it dies with it. ``until_s``: on a monotonic clock."""

    worker_id: str
    incarnation: str
    until_s: float


class Reservations:
    """At most `MOST`."""

    def __init__(self) -> None:
        self._all: dict[str, Reservation] = {}

    def make(self, reservation_id: str, made: Reservation, now_s: float) -> None:
        """Keep one. Raises Overloaded."""
        if len(self._all) >= MOST:
            self._all = {each: held for each, held in self._all.items() if held.until_s > now_s}
        if len(self._all) >= MOST:
            raise Overloaded(f"{MOST} reservations are held", retry_after_s=1.0)
        self._all[reservation_id] = made

    def get(self, reservation_id: str, now_s: float) -> Reservation:
        """Return one that lives. Raises NotFound (RESERVATION_LOST)."""
        found = self._all.get(reservation_id)
        if found is None or found.until_s <= now_s:
            self._all.pop(reservation_id, None)
            raise lost()
        return found

    def drop(self, reservation_id: str) -> Reservation | None:
        """Forget one; return it."""
        return self._all.pop(reservation_id, None)


def lost() -> NotFound:
    """Return the error of a reservation that is no more."""
    return NotFound("the reservation is over, or its engine is another by now", reason="RESERVATION_LOST")
