"""PrefillService and WorkerService: take the caller's time, call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from finmesh.inference.v1 import prefill_service_pb2 as pb
from finmesh.inference.v1 import prefill_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc
from meshkit.rpc.deadline import remaining_s

from inference_prefill.usecases.abort_handoff import AbortHandoff
from inference_prefill.usecases.prefill import Prefill
from inference_prefill.usecases.watch_workers import WatchWorkers

LONGEST_S = 300.0


class PrefillServicer(prefill_service_pb2_grpc.PrefillServiceServicer):
    """One method per RPC."""

    def __init__(self, prefill: Prefill, abort: AbortHandoff) -> None:
        self._prefill, self._abort = prefill, abort

    async def Prefill(self, request: pb.PrefillRequest, context: object) -> pb.PrefillResponse:  # noqa: N802
        """Read a prompt."""
        left = remaining_s()
        return await self._prefill(request, LONGEST_S if left is None else left)

    async def AbortHandoff(self, request: pb.AbortHandoffRequest, context: object) -> pb.AbortHandoffResponse:  # noqa: N802
        """End a hand-off."""
        await self._abort(request.handoff_id, request.epoch)
        return pb.AbortHandoffResponse()


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
