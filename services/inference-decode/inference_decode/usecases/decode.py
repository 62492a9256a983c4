"""Write an answer and stream it.

Surprising: the row belongs to this call. Whatever ends the call (its caller, its deadline, an error, the end of the process) closes the
engine's iterator, which ends the row there; a reservation that no row came of goes back at once. The first token is sent as it comes;
later ones may gather for ``hold_s``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from backends.admission import admit
from backends.port import Backend, DecodeEvent, Observed, Observer, Running
from finmesh.inference.v1.decode_service_pb2 import DecodeEnded, DecodeRequest, DecodeResponse, Tokens
from finmesh.inference.v1.generation_pb2 import UsageFacts
from meshkit.clock import Clock
from meshkit.errors import MeshError

from inference_decode.domain.reservations import Reservations, lost
from inference_decode.ports import Engines


class Decode:
    """``most_queued``: requests that may wait at one engine."""

    def __init__(
        self, engines: Engines, reservations: Reservations, observer: Observer, clock: Clock, *, most_queued: int, hold_s: float
    ) -> None:
        self._engines, self._reservations, self._observer, self._clock = engines, reservations, observer, clock
        self._most_queued, self._hold_s = most_queued, hold_s

    async def __call__(self, request: DecodeRequest, left_s: float) -> AsyncGenerator[DecodeResponse, None]:
        """Yield the answer's parts. Raises typed errors (DecodeService)."""
        engine = self._engine(request)
        if not request.reservation_id:
            admit(engine.load, 0 if request.ticket else len(request.prompt_tokens), left_s, self._most_queued)
        description = engine.description
        observed = self._observer.began("" if description is None else description.model)
        has_row = False
        try:
            async with aclosing(engine.decode(request, left_s, self._hold_s)) as events:
                async for event in events:
                    has_row = True
                    yield _part(event, observed)
        except MeshError as error:
            observed.failed(error.reason)
            raise
        except BaseException:
            observed.failed("CANCELLED")
            raise
        finally:
            self._reservations.drop(request.reservation_id)
            if not has_row and request.reservation_id:
                await engine.release(request.reservation_id)

    def _engine(self, request: DecodeRequest) -> Backend:
        """The engine that holds its reservation, in the incarnation that made it; without one, the least busy."""
        if not request.reservation_id:
            return self._engines.chosen("", request.model_digest)
        held = self._reservations.get(request.reservation_id, self._clock.monotonic_s())
        engine = self._engines.chosen(held.worker_id, request.model_digest)
        if engine.description is None or engine.description.incarnation != held.incarnation:
            self._reservations.drop(request.reservation_id)
            raise lost()
        return engine


def _part(event: DecodeEvent, observed: Observed) -> DecodeResponse:
    """Return an event as the caller gets it, and note it."""
    if isinstance(event, Running):
        observed.running(event)
        return DecodeResponse(committed=event.committed)
    if isinstance(event, Tokens):
        observed.token()
        return DecodeResponse(tokens=event)
    if isinstance(event, UsageFacts):
        observed.ended(event)
        return DecodeResponse(ended=DecodeEnded(usage=event))
    observed.finished(event)
    return DecodeResponse(finished=event)
