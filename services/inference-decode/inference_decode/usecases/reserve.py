"""Hold a row and capacity for an answer, at the engine that is named or at the least busy one."""

from __future__ import annotations

from backends.admission import admit
from backends.port import Backend
from finmesh.inference.v1.decode_service_pb2 import ReserveRequest, ReserveResponse
from meshkit.clock import Clock
from meshkit.crypto.keyed_ids import uuid7

from inference_decode.domain.reservations import LONGEST_TTL_MS, Reservation, Reservations
from inference_decode.ports import Engines


class Reserve:
    """``most_queued``: requests that may wait at one engine."""

    def __init__(self, engines: Engines, reservations: Reservations, clock: Clock, most_queued: int) -> None:
        self._engines, self._reservations, self._clock, self._most_queued = engines, reservations, clock, most_queued

    async def __call__(self, request: ReserveRequest, left_s: float) -> ReserveResponse:
        """Return what is held. Raises Overloaded, Unavailable (NO_WORKER), InvalidArgument, FailedPrecondition."""
        engine = self._engines.chosen(request.worker_id, request.model_digest)
        admit(engine.load, 0, left_s, self._most_queued)
        reservation_id, ttl_ms = uuid7(), min(request.ttl_ms or LONGEST_TTL_MS, LONGEST_TTL_MS)
        request.ttl_ms = ttl_ms
        worker_id, incarnation = _named(engine)
        until_s = self._clock.monotonic_s() + ttl_ms / 1000
        self._reservations.make(reservation_id, Reservation(worker_id, incarnation, until_s), self._clock.monotonic_s())
        try:
            first_block = await engine.reserve(reservation_id, request)
        except BaseException:
            self._reservations.drop(reservation_id)
            await engine.release(reservation_id)  # whoever gave up does not know whether it was made
            raise
        return ReserveResponse(reservation_id=reservation_id, worker_id=worker_id, incarnation=incarnation, first_block=first_block)


def _named(engine: Backend) -> tuple[str, str]:
    description = engine.description
    assert description is not None
    return description.worker_id, description.incarnation
