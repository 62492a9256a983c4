"""Probes against small real servers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from localmesh.health import GrpcHealth, Health, HttpHealth, KafkaHealth, RedisHealth
from localmesh.ports import LOOPBACK, free_ports


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server that answers anything with `answer`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "probe",
    [
        lambda p: RedisHealth(LOOPBACK, p),
        lambda p: HttpHealth(LOOPBACK, p, "/"),
        lambda p: GrpcHealth(LOOPBACK, p),
        lambda p: KafkaHealth(LOOPBACK, p),
    ],
)
async def test_a_server_that_is_not_there_is_not_up(probe: Callable[[int], Health]) -> None:
    assert await probe(free_ports(1)[0]).probe() is False


@pytest.mark.parametrize(
    "answer, up", [(b"+PONG\r\n", True), (b"-LOADING Redis is loading the dataset in memory\r\n", False), (b"", False)]
)
async def test_redis_is_up_when_it_has_loaded_its_file(answer: bytes, up: bool) -> None:
    async with answering(answer) as port:
        assert await RedisHealth(LOOPBACK, port).probe() is up


@pytest.mark.parametrize("answer, up", [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 400 Bad Request\r\n\r\n", False)])
async def test_http_is_up_on_200_alone(answer: bytes, up: bool) -> None:
    async with answering(answer) as port:
        assert await HttpHealth(LOOPBACK, port, "/v2/health/ready").probe() is up


@pytest.mark.parametrize("serving", [True, False])
async def test_grpc_is_up_when_it_says_serving(serving: bool) -> None:
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    answer = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    await servicer.set("", answer)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    try:
        assert await GrpcHealth(LOOPBACK, port).probe() is serving
    finally:
        await server.stop(0)
