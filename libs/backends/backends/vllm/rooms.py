"""Rows that are promised at an engine which knows no reservations: counted here, up to what its row in the pool's file says. Pure."""

from __future__ import annotations

from meshkit.errors import NotFound, Overloaded

from backends.refusals import RETRY_AFTER_S


class Rooms:
    """``rows``: how many answers the engine writes at a time. Times are of one monotonic clock."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._held: dict[str, tuple[int, float]] = {}

    def held(self, now_s: float) -> int:
        """Return how many rows are promised."""
        return sum(rows for rows, until_s in self._held.values() if until_s > now_s)

    def take(self, reservation_id: str, rows: int, ttl_s: float, running: int, now_s: float) -> None:
        """Promise rows beside those that run. Raises Overloaded."""
        self._held = {each: held for each, held in self._held.items() if held[1] > now_s}
        if self.held(now_s) + running + rows > self._rows:
            raise Overloaded(f"all of {self._rows} rows are taken", retry_after_s=RETRY_AFTER_S)
        self._held[reservation_id] = rows, now_s + ttl_s

    def renew(self, reservation_id: str, ttl_s: float, now_s: float) -> None:
        """Prolong a promise. Raises NotFound (RESERVATION_LOST)."""
        self._held[reservation_id] = self._get(reservation_id, now_s), now_s + ttl_s

    def turn_into_rows(self, reservation_id: str, rows: int, now_s: float) -> int:
        """Return how many rows an answer has; without a reservation it has what it needs. Raises NotFound (RESERVATION_LOST)."""
        if not reservation_id:
            return rows
        held = self._get(reservation_id, now_s)
        del self._held[reservation_id]
        return held

    def drop(self, reservation_id: str) -> None:
        """Give a promise back; harmless when there is none."""
        self._held.pop(reservation_id, None)

    def _get(self, reservation_id: str, now_s: float) -> int:
        rows, until_s = self._held.get(reservation_id, (0, now_s))
        if until_s <= now_s:
            self._held.pop(reservation_id, None)
            raise NotFound("the reservation is over", reason="RESERVATION_LOST")
        return rows
