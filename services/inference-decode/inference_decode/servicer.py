"""DecodeService and WorkerService: take the caller's time, call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from finmesh.inference.v1 import decode_service_pb2 as pb
from finmesh.inference.v1 import decode_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc
from meshkit.rpc.deadline import remaining_s

from inference_decode.usecases.decode import Decode
from inference_decode.usecases.release_reservation import ReleaseReservation
from inference_decode.usecases.renew_reservation import RenewReservation
from inference_decode.usecases.reserve import Reserve
from inference_decode.usecases.watch_workers import WatchWorkers

LONGEST_S = 600.0


class DecodeServicer(decode_service_pb2_grpc.DecodeServiceServicer):
    """One method per RPC."""

    def __init__(self, reserve: Reserve, renew: RenewReservation, release: ReleaseReservation, decode: Decode) -> None:
        self._reserve, self._renew, self._release, self._decode = reserve, renew, release, decode

    async def Reserve(self, request: pb.ReserveRequest, context: object) -> pb.ReserveResponse:  # noqa: N802
        """Hold room."""
        return await self._reserve(request, left_s())

    async def RenewReservation(  # noqa: N802
        self, request: pb.RenewReservationRequest, context: object
    ) -> pb.RenewReservationResponse:
        """Prolong it."""
        await self._renew(request.reservation_id, request.ttl_ms)
        return pb.RenewReservationResponse()

    async def ReleaseReservation(  # noqa: N802
        self, request: pb.ReleaseReservationRequest, context: object
    ) -> pb.ReleaseReservationResponse:
        """Give it back."""
        await self._release(request.reservation_id)
        return pb.ReleaseReservationResponse()

    async def Decode(self, request: pb.DecodeRequest, context: object) -> AsyncIterator[pb.DecodeResponse]:  # noqa: N802
        """Write an answer."""
        async with aclosing(self._decode(request, left_s())) as parts:
            async for part in parts:
                yield part


class WorkerServicer(worker_service_pb2_grpc.WorkerServiceServicer):
    """One method per RPC."""

    def __init__(self, watch: WatchWorkers) -> None:
        self._watch = watch

    async def WatchWorkers(  # noqa: N802
        self, request: worker_service_pb2.WatchWorkersRequest, context: object
    ) -> AsyncIterator[worker_service_pb2.WatchWorkersResponse]:
        """Tell what the engines are, hold and do."""
        async with aclosing(self._watch(request.positions)) as news:
            async for each in news:
                yield each


def left_s() -> float:
    """Return how much time the caller leaves."""
    left = remaining_s()
    return LONGEST_S if left is None else left
