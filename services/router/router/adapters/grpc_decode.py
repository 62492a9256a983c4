"""Decode workers over gRPC; the call goes to the instance in front of the worker."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any
from weakref import WeakKeyDictionary

from finmesh.inference.v1.decode_service_pb2 import ReleaseReservationRequest, RenewReservationRequest
from finmesh.inference.v1.decode_service_pb2_grpc import DecodeServiceStub
from meshkit.errors import MeshError
from meshkit.rpc.channel import MeshChannel

from router.adapters.grpc_workers import GrpcWorkers
from router.domain.legs import DecodeAsk, DecodePart, Reservation, ReserveAsk
from router.translate import legs

_SHORT_S = 1.0


class GrpcDecode:
    """See ``ports.DecodeLeg``."""

    def __init__(self, workers: GrpcWorkers) -> None:
        self._workers = workers
        self._stubs: WeakKeyDictionary[MeshChannel, Any] = WeakKeyDictionary()

    async def reserve(self, worker: str, ask: ReserveAsk, timeout_s: float) -> Reservation:
        """Have room held."""
        response = await self._stub(worker).Reserve(legs.reserve_request(worker, ask), timeout=timeout_s)
        return legs.reservation(response, ask.ttl_s)

    async def renew(self, reservation: Reservation) -> None:
        """Prolong a reservation."""
        request = RenewReservationRequest(reservation_id=reservation.reservation_id, ttl_ms=round(reservation.ttl_s * 1000))
        await self._stub(reservation.worker).RenewReservation(request, timeout=_SHORT_S)

    async def release(self, reservation: Reservation) -> None:
        """Give room back; its time to live is the backstop."""
        with suppress(MeshError):
            request = ReleaseReservationRequest(reservation_id=reservation.reservation_id)
            await self._stub(reservation.worker).ReleaseReservation(request, timeout=_SHORT_S)

    async def decode(self, worker: str, ask: DecodeAsk) -> AsyncGenerator[DecodePart, None]:
        """Have answers written; closing the generator cancels the call, which ends the work."""
        async with aclosing(self._stub(worker).Decode(legs.decode_request(ask), timeout=ask.timeout_s)) as responses:
            async for response in responses:
                yield legs.decode_part(response)

    def _stub(self, worker: str) -> Any:
        channel = self._workers.channel(worker)
        if (stub := self._stubs.get(channel)) is None:
            stub = self._stubs[channel] = DecodeServiceStub(channel)
        return stub
