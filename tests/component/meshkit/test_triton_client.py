"""Inference over a real socket against a server that speaks Triton's protocol."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc import aio
from meshkit import errors
from meshkit.breaker import CircuitBreaker, State
from meshkit.clock import FakeClock
from meshkit.config import TritonSettings
from meshkit.rpc.server import MeshServer
from meshkit.rpc.tls import of_triton
from meshkit.testing.serving import serving
from meshkit.triton.client import TritonClient
from tritonclient.grpc import service_pb2, service_pb2_grpc


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """A neighbour: doubles its input, or fails as told."""

    def __init__(self) -> None:
        self.failure: grpc.StatusCode | None = None
        self.hangs = False
        self.calls = 0
        self.headers: dict[str, Any] = {}

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        self.calls += 1
        self.headers = dict(context.invocation_metadata())
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            await context.abort(self.failure, "model is away")
        response = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="7")
        for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
            response.outputs.add(name=f"twice_{tensor.name}", datatype=tensor.datatype, shape=tensor.shape)
            types = {"FP32": np.float32, "INT64": np.int64}
            response.raw_output_contents.append((np.frombuffer(raw, types[tensor.datatype]) * 2).tobytes())
        return response

    async def ModelReady(self, request: Any, context: Any) -> Any:
        return service_pb2.ModelReadyResponse(ready=request.name == "fraud")


@pytest.fixture
async def triton() -> Any:
    neighbour = Triton()
    server = MeshServer("127.0.0.1:0")
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(neighbour, server)
    async with serving(server):
        yield neighbour, server.address


ONE = {"x": np.ones((1, 2), np.float32)}


async def test_tensors_of_several_types_and_shapes(triton: Any) -> None:
    async with TritonClient(triton[1]) as client:
        inputs = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(2, dtype=np.int64), "c": np.zeros((0, 4), np.float32)}
        outputs = await client.infer("fraud", "", inputs, 5.0, {"x-finmesh-test": "1"})
    for name, array in inputs.items():
        np.testing.assert_array_equal(outputs[f"twice_{name}"], array * 2)
        assert outputs[f"twice_{name}"].dtype == array.dtype
    assert triton[0].headers["x-finmesh-test"] == "1"


async def test_strided_input_is_sent_in_order(triton: Any) -> None:
    async with TritonClient(triton[1]) as client:
        matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
        outputs = await client.infer("fraud", "", {"x": matrix.T[::2]}, 5.0)
    np.testing.assert_array_equal(outputs["twice_x"], matrix.T[::2] * 2)


async def test_text_tensors_are_refused(triton: Any) -> None:
    async with TritonClient(triton[1]) as client:
        with pytest.raises(errors.InvalidArgument):
            await client.infer("fraud", "", {"x": np.array(["a"], dtype=object)}, 5.0)


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
        (grpc.StatusCode.INTERNAL, errors.Unavailable),
        (grpc.StatusCode.UNKNOWN, errors.Unavailable),
        (grpc.StatusCode.INVALID_ARGUMENT, errors.InvalidArgument),
        (grpc.StatusCode.NOT_FOUND, errors.NotFound),
    ],
)
async def test_failures_are_typed(triton: Any, code: grpc.StatusCode, cls: type[errors.MeshError]) -> None:
    triton[0].failure = code
    async with TritonClient(triton[1]) as client:
        with pytest.raises(errors.MeshError) as caught:
            await client.infer("fraud", "", ONE, 5.0)
    assert type(caught.value) is cls


async def test_a_slow_server_costs_three_timeouts_and_then_nothing(triton: Any) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(failures=3, open_s=1.0, clock=clock)
    triton[0].hangs = True
    async with TritonClient(triton[1], breaker=breaker) as client:
        for _ in range(3):
            with pytest.raises(errors.DeadlineExceeded):
                await client.infer("fraud", "", ONE, 0.02)
        for _ in range(10):
            with pytest.raises(errors.Unavailable) as caught:
                await client.infer("fraud", "", ONE, 0.02)
            assert caught.value.reason == "CIRCUIT_OPEN"
        assert triton[0].calls == 3
        triton[0].hangs = False
        clock.advance(1.0)
        await client.infer("fraud", "", ONE, 5.0)
        assert breaker.state is State.CLOSED


async def test_readiness(triton: Any) -> None:
    async with TritonClient(triton[1]) as client:
        assert await client.ready("fraud")
        assert not await client.ready("unknown")
    async with TritonClient("127.0.0.1:1") as client:
        assert not await client.ready("fraud", timeout_s=0.5)


@pytest.mark.parametrize("mutual", [False, True])
async def test_over_tls_triton_shows_its_certificate_and_may_ask_for_ours(certs: Path, mutual: bool) -> None:
    pair = [((certs / "audit.key").read_bytes(), (certs / "audit.pem").read_bytes())]
    authority = (certs / "authority.pem").read_bytes() if mutual else None
    server = aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Triton(), server)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair, authority, require_client_auth=mutual))
    await server.start()
    ours = {"certificate": certs / "risk-scoring.pem", "key": certs / "risk-scoring.key"}

    async def answers(**settings: Any) -> bool:
        triton = TritonSettings(url=f"127.0.0.1:{port}", **settings)
        async with TritonClient(triton.url, of_triton(triton)) as client:
            return await client.ready("fraud", timeout_s=5.0)

    assert await answers(tls=True, authority=certs / "authority.pem", **ours)
    assert await answers(tls=True, authority=certs / "authority.pem") is not mutual
    assert not await answers(tls=True)  # gRPC's own authorities did not sign it
    assert not await answers()
    await server.stop(0)
