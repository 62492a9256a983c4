"""Rows that are held for a request that is still to come: its prompt is read elsewhere, and lands here.

Surprising: a reservation doesn't end while something is pulled into its row, and for a moment after: who pulls has limits of its own, and
between the last byte and the request that uses it no clock may take the row away.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.llm import errors
from engine.llm.block_pool import BlockPool
from engine.llm.errors import Refused
from engine.llm.rows import Rows

_AFTER_LANDING_S = 2.0


@dataclass(slots=True)
class Reservation:
    """``rows``: the first is where the prompt lands. ``chain``: blocks that are promised to be there when it does. ``landing``: pulls."""

    reservation_id: str
    rows: list[int]
    chain: tuple[bytes, ...]
    expires: float
    landing: int = 0


class Reservations:
    """Not thread-safe: the engine's lock is held around it. Times are those of the engine's clock."""

    def __init__(self, rows: Rows, pool: BlockPool) -> None:
        self._rows, self._pool = rows, pool
        self._all: dict[str, Reservation] = {}

    def __len__(self) -> int:
        return len(self._all)

    def make(self, reservation_id: str, rows: int, chain: tuple[bytes, ...], expires: float) -> Reservation:
        """Hold rows and the blocks that are here of ``chain``. Raises Refused OVERLOADED or REQUEST_DUPLICATE."""
        if reservation_id in self._all:
            raise Refused(errors.REQUEST_DUPLICATE, f"reservation {reservation_id} exists")
        taken = self._rows.take(f"reservation {reservation_id}", rows)
        if taken is None:
            raise Refused(errors.OVERLOADED, f"{rows} rows are asked for, {self._rows.free} are free", retry_after_s=0.2)
        held = chain[: len(self._pool.take(chain))]
        made = self._all[reservation_id] = Reservation(reservation_id, taken, held, expires)
        return made

    def get(self, reservation_id: str) -> Reservation:
        """Return one that lives. Raises Refused RESERVATION_UNKNOWN."""
        if (found := self._all.get(reservation_id)) is None:
            raise Refused(errors.RESERVATION_UNKNOWN, f"reservation {reservation_id} is gone or never was")
        return found

    def renew(self, reservation_id: str, expires: float) -> None:
        """Hold one until then. Raises Refused RESERVATION_UNKNOWN."""
        self.get(reservation_id).expires = expires

    def release(self, reservation_id: str) -> None:
        """Give rows and blocks back; one that is gone already is no error, since both ends may give up."""
        if reservation_id in self._all:
            self._rows.give_back(self.redeem(reservation_id))

    def redeem(self, reservation_id: str) -> list[int]:
        """End one and return its rows, still held. Raises Refused RESERVATION_UNKNOWN."""
        reservation = self.get(reservation_id)
        del self._all[reservation_id]
        self._pool.give_back(reservation.chain)
        return reservation.rows

    def begin_landing(self, reservation: Reservation) -> None:
        """Something is about to be written into its first row."""
        self._rows.pin(reservation.rows[0])
        reservation.landing += 1

    def end_landing(self, reservation: Reservation, now: float) -> None:
        """It is written, or given up."""
        reservation.landing -= 1
        reservation.expires = max(reservation.expires, now + _AFTER_LANDING_S)
        self._rows.unpin(reservation.rows[0])

    def expire(self, now: float) -> list[str]:
        """Release those whose time is over; return which."""
        over = [each.reservation_id for each in self._all.values() if each.expires <= now and not each.landing]
        for reservation_id in over:
            self.release(reservation_id)
        return over

    def rows(self) -> set[int]:
        """Return all rows that are held."""
        return {row for reservation in self._all.values() for row in reservation.rows}

    def references(self) -> list[bytes]:
        """Return the blocks that are held, as often as they are."""
        return [each for reservation in self._all.values() for each in reservation.chain]
