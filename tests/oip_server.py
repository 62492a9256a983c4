"""A small server of the Open Inference Protocol: tokens are those of `tests.scripted_engine`, nothing is computed; it can lie and stall."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as pb_grpc

from tests.scripted_engine import token_of

Send = Callable[[Any], Awaitable[None]]
INPUTS = {"IDS": ("INT64", [-1]), "MAX": ("INT32", [1]), "TEMP": ("FP32", [1]), "SEED": ("INT64", [1])}
OUTPUTS = {"OUT": ("INT32", [-1]), "FINISH": ("BYTES", [1])}


def text(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


@dataclass
class OipServer(pb_grpc.GRPCInferenceServiceServicer):
    """``answering``: what it does with a request in place of the honest thing, given it and what sends a response."""

    pace_s: float = 0.0
    is_ready: bool = True
    inputs: dict[str, tuple[str, list[int]]] = field(default_factory=lambda: dict(INPUTS))
    outputs: dict[str, tuple[str, list[int]]] = field(default_factory=lambda: dict(OUTPUTS))
    answering: Callable[[Any, Send], Awaitable[None]] | None = None
    asked: list[Any] = field(default_factory=list)
    streams: int = 0
    cancelled: int = 0
    running: int = 0
    port: int = 0
    tls: Any = None
    _server: Any = None

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        address = f"127.0.0.1:{self.port}"
        self.port = self._server.add_secure_port(address, self.tls) if self.tls else self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(0)

    async def ModelReady(self, request: Any, context: Any) -> Any:
        return pb.ModelReadyResponse(ready=self.is_ready and request.name == "llm")

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        told = pb.ModelMetadataResponse(name="llm", versions=["1"], platform="python")
        for name, (datatype, shape) in self.inputs.items():
            told.inputs.add(name=name, datatype=datatype, shape=shape)
        for name, (datatype, shape) in self.outputs.items():
            told.outputs.add(name=name, datatype=datatype, shape=shape)
        return told

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        values = self.values(request)
        ids = [token_of(values["IDS"], index) for index in range(values["MAX"][0])]
        return self.response(request, ids, b"length").infer_response

    async def ModelStreamInfer(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        self.streams += 1
        outgoing: asyncio.Queue[Any] = asyncio.Queue()
        running: set[asyncio.Task[None]] = set()

        async def read() -> None:
            async for request in requests:
                self.asked.append(request)
                running.add(asyncio.create_task(self._answered(request, outgoing.put)))
            await asyncio.gather(*running)
            await outgoing.put(None)

        reading = asyncio.create_task(read())
        try:
            while (response := await outgoing.get()) is not None:
                yield response
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            for each in (reading, *running):
                each.cancel()

    async def _answered(self, request: Any, send: Send) -> None:
        self.running += 1
        try:
            await (self.answering or self.honest)(request, send)
        finally:
            self.running -= 1

    async def honest(self, request: Any, send: Send) -> None:
        values = self.values(request)
        for index in range(values["MAX"][0]):
            await asyncio.sleep(self.pace_s)
            last = index + 1 == values["MAX"][0]
            await send(self.response(request, [token_of(values["IDS"], index)], b"length" if last else b""))
        await send(self.final(request))

    @staticmethod
    def values(request: Any) -> dict[str, Any]:
        formats = {"INT64": "q", "INT32": "i", "FP32": "f"}
        found = {}
        for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
            kind = formats.get(tensor.datatype)
            found[tensor.name] = list(struct.unpack(f"<{tensor.shape[-1]}{kind}", raw)) if kind else raw[4:].decode()
        return found

    @staticmethod
    def response(request: Any, ids: list[int], finish: bytes) -> Any:
        answer = pb.ModelInferResponse(model_name="llm", id=request.id)
        answer.outputs.add(name="OUT", datatype="INT32", shape=[len(ids)])
        answer.raw_output_contents.append(struct.pack(f"<{len(ids)}i", *ids))
        answer.outputs.add(name="FINISH", datatype="BYTES", shape=[1])
        answer.raw_output_contents.append(text(finish))
        return pb.ModelStreamInferResponse(infer_response=answer)

    @staticmethod
    def final(request: Any) -> Any:
        answer = pb.ModelInferResponse(model_name="llm", id=request.id)
        answer.parameters["triton_final_response"].bool_param = True
        return pb.ModelStreamInferResponse(infer_response=answer)


@asynccontextmanager
async def oip_server(**fields: Any) -> AsyncIterator[OipServer]:
    """One that listens."""
    server = OipServer(**fields)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
