"""Prolong a reservation: the router does while the prompt is read elsewhere."""

from __future__ import annotations

from meshkit.clock import Clock

from inference_decode.domain.reservations import LONGEST_TTL_MS, Reservation, Reservations, lost
from inference_decode.ports import Engines


class RenewReservation:
    """Of the engine's incarnation that made it, and no other."""

    def __init__(self, engines: Engines, reservations: Reservations, clock: Clock) -> None:
        self._engines, self._reservations, self._clock = engines, reservations, clock

    async def __call__(self, reservation_id: str, ttl_ms: int) -> None:
        """Raise NotFound (RESERVATION_LOST), Unavailable."""
        now_s = self._clock.monotonic_s()
        held = self._reservations.get(reservation_id, now_s)
        engine = self._engines.named(held.worker_id)
        if engine is None or engine.description is None or engine.description.incarnation != held.incarnation:
            self._reservations.drop(reservation_id)
            raise lost()
        ttl_ms = min(ttl_ms or LONGEST_TTL_MS, LONGEST_TTL_MS)
        await engine.renew(reservation_id, ttl_ms)
        self._reservations.make(reservation_id, Reservation(held.worker_id, held.incarnation, now_s + ttl_ms / 1000), now_s)
