"""What the router believes of each engine, asked again and again: `finmesh pool` sees the same."""

import asyncio
import time
from dataclasses import dataclass

from finmesh.inference.v1 import worker_pb2
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient
from meshkit.errors import MeshError

LOOK_S = 0.1
STALE_MS = 3_000
_SERVING = (worker_pb2.WORKER_STATE_READY, worker_pb2.WORKER_STATE_PROBATION)


@dataclass(frozen=True, slots=True)
class Seen:
    """One engine. `is_served`: requests may be sent to it as to any other."""

    incarnation: str
    is_served: bool
    is_well: bool
    why: str


class Watch:
    """Looks through a gateway as an operator."""

    def __init__(self, door: GatewayClient, tenant: str) -> None:
        self._door = door
        self._tenant = tenant

    async def engines(self) -> dict[str, Seen]:
        """Every engine by name; nothing while the mesh does not say."""
        try:
            return {each.description.worker_id: _seen(each) for each in await self._door.list_backends(self._tenant)}
        except MeshError:
            return {}

    async def isolated(self, worker: str, incarnation: str) -> tuple[float, str]:
        """Return when (monotonic) it is seen that this incarnation gets no more requests, and why."""
        while True:
            seen = (await self.engines()).get(worker)
            if seen is not None and (not seen.is_served or seen.incarnation != incarnation):
                return time.monotonic(), seen.why or "another incarnation"
            await asyncio.sleep(LOOK_S)

    async def well(self, workers: int) -> None:
        """Return when so many engines are there and all of them are READY."""
        while True:
            seen = await self.engines()
            if len(seen) >= workers and all(each.is_well for each in seen.values()):
                return
            await asyncio.sleep(LOOK_S)


def _seen(backend: router.Backend) -> Seen:
    load, is_stale = backend.load, backend.age_ms > STALE_MS
    return Seen(
        incarnation=backend.description.incarnation,
        is_served=load.state in _SERVING and not is_stale,
        is_well=load.state == worker_pb2.WORKER_STATE_READY and not is_stale,
        why=load.reason or ("silent" if is_stale else ""),
    )
