"""What inference-prefill needs from outside. An engine itself is `backends.port`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from backends.port import Backend
from finmesh.inference.v1.worker_service_pb2 import Position, WatchWorkersResponse


class Engines(Protocol):
    """The engines of this process."""

    @property
    def backends(self) -> Sequence[Backend]:
        """Return all of them."""
        ...

    def chosen(self, worker_id: str, model_digest: bytes) -> Backend:
        """Return the engine of that name, or the least busy one of that model. Raises Unavailable NO_WORKER, FailedPrecondition."""
        ...


class Feed(Protocol):
    """What all engines are, hold and do."""

    def watch(self, positions: Mapping[str, Position]) -> AsyncGenerator[WatchWorkersResponse, None]:
        """Tell everything from ``positions`` on, by worker."""
        ...
