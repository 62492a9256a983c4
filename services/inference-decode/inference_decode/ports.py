"""What inference-decode needs from outside. An engine itself is `backends.port`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from backends.port import Backend
from finmesh.inference.v1.worker_service_pb2 import Position, WatchWorkersResponse


class Engines(Protocol):
    """The engines of this process."""

    def chosen(self, worker_id: str, model_digest: bytes) -> Backend:
        """Return the engine of that name, or the least busy one of that model. Raises Unavailable NO_WORKER, FailedPrecondition."""
        ...

    def named(self, worker_id: str) -> Backend | None:
        """Return the engine of that name, whatever its state."""
        ...


class Feed(Protocol):
    """What all engines are, hold and do."""

    def watch(self, positions: Mapping[str, Position]) -> AsyncGenerator[WatchWorkersResponse, None]:
        """Tell everything from ``positions`` on, by worker."""
        ...
