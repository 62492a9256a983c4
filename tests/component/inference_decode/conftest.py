"""inference-decode in process, with real sockets, in front of scripted engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from finmesh.inference.v1 import decode_service_pb2, decode_service_pb2_grpc, generation_pb2, worker_service_pb2, worker_service_pb2_grpc
from inference_decode.config import Config
from inference_decode.main import serve
from meshkit.rpc.channel import MeshChannel
from meshkit.service import Service
from meshkit.testing.serving import running

from tests.scripted_engine import ScriptedEngine, token_of


@dataclass
class Bench:
    """A running service, its engine, and a client."""

    service: Service
    engine: ScriptedEngine
    channel: MeshChannel

    @property
    def decode(self) -> Any:
        return decode_service_pb2_grpc.DecodeServiceStub(self.channel)  # type: ignore[no-untyped-call]

    @property
    def workers(self) -> Any:
        return worker_service_pb2_grpc.WorkerServiceStub(self.channel)  # type: ignore[no-untyped-call]

    async def reserve(self, **changes: Any) -> decode_service_pb2.ReserveResponse:
        request = decode_service_pb2.ReserveRequest(
            **{"request_id": "r-1", "model_digest": self.engine.model_digest, "prompt_tokens": 10, "max_output_tokens": 8, **changes}
        )
        answer: decode_service_pb2.ReserveResponse = await self.decode.Reserve(request)
        return answer

    def request(self, most: int = 8, **changes: Any) -> decode_service_pb2.DecodeRequest:
        fields = {
            "request_id": "r-1",
            "model_digest": self.engine.model_digest,
            "prompt_tokens": range(3, 13),
            "grade": 2,
            "bounds": generation_pb2.Bounds(max_output_tokens=most),
            **changes,
        }
        return decode_service_pb2.DecodeRequest(**fields)

    async def free(self) -> None:
        async with asyncio.timeout(10):
            while self.engine.held_rows():
                await asyncio.sleep(0.01)

    async def until_ready(self) -> None:
        async with asyncio.timeout(10):
            while self.service.state()["state"] != "ready":
                await asyncio.sleep(0.02)

    def watch(self, **position: Any) -> Any:
        positions = [worker_service_pb2.Position(worker_id=self.engine.worker_id, **position)] if position else []
        return self.workers.WatchWorkers(worker_service_pb2.WatchWorkersRequest(positions=positions), timeout=20)


EXPECTED = [token_of(list(range(3, 13)), index) for index in range(500)]


@asynccontextmanager
async def started(engine: ScriptedEngine, **settings: Any) -> AsyncIterator[Bench]:
    config = Config(listen="127.0.0.1:0", shutdown_grace_s=5, **settings)
    async with (
        running(Service(config, "inference-decode"), partial(serve, config, backends=[engine])) as service,
        MeshChannel(f"127.0.0.1:{service.port}") as channel,
    ):
        bench = Bench(service, engine, channel)
        await bench.until_ready()
        yield bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with started(ScriptedEngine(pace_s=0.001)) as made:
        yield made
