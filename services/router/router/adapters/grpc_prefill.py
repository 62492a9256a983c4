"""Prefill workers over gRPC; the call goes to the instance in front of the worker."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from finmesh.inference.v1.prefill_service_pb2 import AbortHandoffRequest
from finmesh.inference.v1.prefill_service_pb2_grpc import PrefillServiceStub
from meshkit.errors import MeshError
from meshkit.rpc.channel import MeshChannel

from router.adapters.grpc_workers import GrpcWorkers
from router.domain.legs import Handoff, PrefillAsk, Prefilled
from router.translate import legs

_ABORT_S = 1.0


class GrpcPrefill:
    """See ``ports.PrefillLeg``."""

    def __init__(self, workers: GrpcWorkers) -> None:
        self._workers = workers
        self._stubs: WeakKeyDictionary[MeshChannel, Any] = WeakKeyDictionary()

    async def prefill(self, worker: str, ask: PrefillAsk, timeout_s: float) -> Prefilled:
        """Have a prompt read; being cancelled ends the work."""
        return legs.prefilled(await self._stub(worker).Prefill(legs.prefill_request(worker, ask), timeout=timeout_s))

    async def abort(self, worker: str, handoff: Handoff) -> None:
        """Have a hand-off ended; the lease is the backstop."""
        with suppress(MeshError):
            request = AbortHandoffRequest(handoff_id=handoff.handoff_id, epoch=handoff.epoch)
            await self._stub(worker).AbortHandoff(request, timeout=_ABORT_S)

    def _stub(self, worker: str) -> Any:
        channel = self._workers.channel(worker)
        if (stub := self._stubs.get(channel)) is None:
            stub = self._stubs[channel] = PrefillServiceStub(channel)
        return stub
