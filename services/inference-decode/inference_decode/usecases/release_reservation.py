"""Give a reservation back; harmless when there is none."""

from __future__ import annotations

from inference_decode.domain.reservations import Reservations
from inference_decode.ports import Engines


class ReleaseReservation:
    """What became an answer is none any more, and goes on."""

    def __init__(self, engines: Engines, reservations: Reservations) -> None:
        self._engines, self._reservations = engines, reservations

    async def __call__(self, reservation_id: str) -> None:
        """Give it back."""
        held = self._reservations.drop(reservation_id)
        engine = None if held is None else self._engines.named(held.worker_id)
        if engine is not None:
            await engine.release(reservation_id)
