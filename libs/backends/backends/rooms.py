"""Rooms of an engine that reserves nothing itself: counted here, at most so many rows at a time, reservations until their time is over.

Times are of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable

from meshkit.errors import NotFound, Overloaded

RETRY_AFTER_S = 0.2


class Rooms:
    """``rows``: how many answers there may be at a time."""

    def __init__(self, rows: int, monotonic_s: Callable[[], float]) -> None:
        self._rows, self._monotonic_s = rows, monotonic_s
        self._reserved: dict[str, tuple[int, float]] = {}
        self.running = 0

    @property
    def used(self) -> int:
        """Return how many rows are taken, reservations included."""
        self._forget()
        return self.running + sum(rows for rows, _ in self._reserved.values())

    @property
    def reservations(self) -> list[str]:
        """Return the reservations that live."""
        self._forget()
        return list(self._reserved)

    def reserve(self, reservation_id: str, rows: int, ttl_s: float) -> None:
        """Hold rows. Raises Overloaded."""
        self._fits(rows)
        self._reserved[reservation_id] = rows, self._monotonic_s() + ttl_s

    def renew(self, reservation_id: str, ttl_s: float) -> None:
        """Prolong it. Raises NotFound (RESERVATION_LOST)."""
        self._forget()
        if reservation_id not in self._reserved:
            raise _lost()
        self._reserved[reservation_id] = self._reserved[reservation_id][0], self._monotonic_s() + ttl_s

    def release(self, reservation_id: str) -> None:
        """Give it back; harmless when there is none."""
        self._reserved.pop(reservation_id, None)

    def take(self, reservation_id: str, rows: int) -> None:
        """Begin to use rows, those of a reservation if one is named. Raises NotFound (RESERVATION_LOST), Overloaded."""
        self._forget()
        if reservation_id:
            held = self._reserved.pop(reservation_id, None)
            if held is None:
                raise _lost()
            if held[0] < rows:
                self._fits(rows)
        else:
            self._fits(rows)
        self.running += rows

    def leave(self, rows: int) -> None:
        """End the use of rows."""
        self.running -= rows

    def clear(self) -> None:
        """Forget all reservations: the engine is another by now."""
        self._reserved.clear()

    def _fits(self, rows: int) -> None:
        if self.used + rows > self._rows:
            raise Overloaded(f"all {self._rows} rows are taken", retry_after_s=RETRY_AFTER_S)

    def _forget(self) -> None:
        now_s = self._monotonic_s()
        for each in [each for each, (_, until_s) in self._reserved.items() if until_s <= now_s]:
            del self._reserved[each]


def _lost() -> NotFound:
    return NotFound("the reservation is over", reason="RESERVATION_LOST")
