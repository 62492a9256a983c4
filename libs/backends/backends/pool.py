"""The engines of one process: who is asked, whether any can be, and what is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from finmesh.inference.v1.worker_pb2 import WORKER_STATE_ISOLATED, WORKER_STATE_PROBATION, WORKER_STATE_READY, WorkerLoad
from meshkit.errors import FailedPrecondition, Unavailable

from backends.health.states import SLOW
from backends.port import Backend, Watcher

RETRY_AFTER_S = 1.0


class Pool:
    """``watcher`` is told everything that the engines tell."""

    def __init__(self, backends: Sequence[Backend], watcher: Watcher) -> None:
        self.backends = tuple(backends)
        for backend in backends:
            backend.watch(watcher)

    async def run(self) -> None:
        """Keep in touch with all of them until cancelled."""
        async with asyncio.TaskGroup() as group:
            for backend in self.backends:
                group.create_task(backend.run())

    def chosen(self, worker_id: str, model_digest: bytes) -> Backend:
        """Return the engine of that name, or the least busy one of that model when none is named; a slow one when there is no other.

        Raises Unavailable (NO_WORKER) when it takes nothing, FailedPrecondition (MODEL_UNKNOWN) when it serves another model.
        """
        known = [backend for backend in self.backends if _name(backend) == worker_id or (not worker_id and _name(backend))]
        serving = [backend for backend in known if _digest(backend) == model_digest]
        if known and not serving:
            raise FailedPrecondition("no engine here serves that model", reason="MODEL_UNKNOWN")
        ready = [backend for backend in serving if trust(backend.load)]
        if not ready:
            why = next((backend.load.reason for backend in serving if backend.load.reason), "")
            raise Unavailable(
                "no engine takes work" if not worker_id else f"{worker_id} takes no work",
                reason="NO_WORKER",
                metadata={"because": why} if why else None,
                retry_after_s=RETRY_AFTER_S,
            )
        return min(ready, key=lambda backend: (-trust(backend.load), backend.load.queued, backend.load.rows_used))

    def named(self, worker_id: str) -> Backend | None:
        """Return the engine of that name, whatever its state."""
        return next((backend for backend in self.backends if _name(backend) == worker_id), None)

    async def probe(self) -> None:
        """Raise Unavailable when no engine takes work."""
        if not any(trust(backend.load) for backend in self.backends):
            raise Unavailable("no engine takes work", reason=self.backends[0].load.reason or "STARTING" if self.backends else "NO_ENGINES")


def trust(load: WorkerLoad) -> int:
    """Return whom to ask first: 3 READY, 2 on probation, 1 slow (its answers are right), 0 not to be asked."""
    if load.state == WORKER_STATE_READY:
        return 3
    if load.state == WORKER_STATE_PROBATION:
        return 2
    return int(load.state == WORKER_STATE_ISOLATED and load.reason == SLOW)


async def probe(backend: Backend) -> None:
    """Raise Unavailable when one engine takes no work."""
    if backend.load.state != WORKER_STATE_READY:
        raise Unavailable("the engine takes no work", reason=backend.load.reason or "STARTING")


def _name(backend: Backend) -> str:
    return "" if backend.description is None else backend.description.worker_id


def _digest(backend: Backend) -> bytes:
    return b"" if backend.description is None else backend.description.model_digest
