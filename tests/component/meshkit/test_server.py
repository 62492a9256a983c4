"""Servers and channels over real sockets: shapes, errors, limits, certificates."""

import asyncio
import datetime as dt
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from meshkit import errors
from meshkit.config import ServiceConfig, TlsSettings
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.server import Limits, MeshServer
from meshkit.testing.capture import captured_logs, captured_spans
from meshkit.testing.serving import serving
from provisioning import certificates

SERVICE = "finmesh.test.v1.Shapes"
Request, Response = risk.GetDecisionRequest, risk.GetDecisionResponse


def tls(certs: Path, identity: str) -> TlsSettings:
    return TlsSettings(certificate=certs / f"{identity}.pem", key=certs / f"{identity}.key", authority=certs / "authority.pem")


def respond(text: str) -> Any:
    if text == "bug":
        raise RuntimeError("card 4111111111111111")
    if text == "typed":
        raise errors.Overloaded("full", reason="QUEUE_FULL", retry_after_s=1.5)
    return Response(decision_record=text.encode())


class Shapes:
    """One handler per call shape; the tenant field says what happens."""

    async def unary_unary(self, request: Any, context: Any) -> Any:
        return respond(request.tenant)

    async def unary_stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for part in request.tenant.split(","):
            yield respond(part)

    async def stream_unary(self, requests: AsyncIterator[Any], context: Any) -> Any:
        return respond("".join([request.tenant async for request in requests]))

    async def stream_stream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield respond(request.tenant)


SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def shapes_server(listen: str = "127.0.0.1:0", tls_settings: TlsSettings | None = None, **settings: Any) -> MeshServer:
    server = MeshServer(listen, tls_settings, **settings)
    handlers = {
        shape: getattr(grpc, f"{shape}_rpc_method_handler")(getattr(Shapes(), shape), Request.FromString, Response.SerializeToString)
        for shape in SHAPES
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    return server


async def ask(channel: MeshChannel, shape: str, *texts: str) -> list[str]:
    """Call one shape; return what came back."""
    call = getattr(channel, shape)(f"/{SERVICE}/{shape}", Request.SerializeToString, Response.FromString)

    async def requests() -> AsyncIterator[Any]:
        for text in texts:
            yield Request(tenant=text)

    argument: Any = requests() if shape.startswith("stream") else Request(tenant=",".join(texts))
    if shape.endswith("unary"):
        return [(await call(argument)).decision_record.decode()]
    return [response.decision_record.decode() async for response in call(argument)]


@pytest.mark.parametrize(("shape", "expected"), [*zip(SHAPES, (["a,b"], ["a", "b"], ["ab"], ["a", "b"]), strict=True)])
async def test_every_shape_answers_and_is_traced_and_logged(shape: str, expected: list[str]) -> None:
    with captured_spans() as spans, captured_logs() as logs:
        async with serving(shapes_server()) as server, MeshChannel(server.address) as channel:
            assert await ask(channel, shape, "a", "b") == expected
    assert sorted(span.kind.name for span in spans) == ["CLIENT", "SERVER"]
    assert [line["rpc.method"] for line in logs.lines if line["message"] == "rpc"] == [f"{SERVICE}/{shape}"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_gives_typed_errors_and_hides_bugs(shape: str) -> None:
    async with serving(shapes_server()) as server, MeshChannel(server.address) as channel:
        with pytest.raises(errors.Overloaded) as typed:
            await ask(channel, shape, "typed")
        assert (typed.value.reason, typed.value.retry_after_s) == ("QUEUE_FULL", 1.5)
        with captured_logs() as logs, pytest.raises(errors.MeshError, match="internal error") as bug:
            await ask(channel, shape, "bug")
        assert type(bug.value) is errors.MeshError
        assert "4111111111111111" not in logs.text


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_refuses_bytes_that_are_no_message(shape: str) -> None:
    async with serving(shapes_server()) as server, MeshChannel(server.address) as channel:
        call = getattr(channel, shape)(f"/{SERVICE}/{shape}")

        async def requests() -> AsyncIterator[bytes]:
            yield b"\xff\xff"

        argument: Any = requests() if shape.startswith("stream") else b"\xff\xff"
        with pytest.raises(errors.InvalidArgument) as caught:
            if shape.endswith("unary"):
                await call(argument)
            else:
                [response async for response in call(argument)]
        assert caught.value.reason == "MALFORMED_MESSAGE"


def test_a_handler_that_is_not_async_is_refused() -> None:
    from meshkit.rpc.chain import Chain

    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)

    async def continuation(details: Any) -> Any:
        return handler

    class Details:
        method = "/finmesh.test.v1.Shapes/Sync"

    with pytest.raises(TypeError, match="async"):
        asyncio.run(Chain([]).intercept_service(continuation, Details()))


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0", ":0"])
async def test_clear_text_is_served_on_loopback_alone(listen: str) -> None:
    with pytest.raises(ValueError, match="without TLS"):
        MeshServer(listen)


async def test_clear_text_behind_a_service_mesh_is_allowed_by_name() -> None:
    config = ServiceConfig(listen="0.0.0.0:0", allow_clear_text="grpc")  # type: ignore[arg-type]
    server = MeshServer.of(config, callers={"gateway"})
    async with serving(server), MeshChannel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(ValueError, match="without TLS"):
        MeshServer.of(ServiceConfig(listen="0.0.0.0:0", allow_clear_text="kafka,redis"), callers={"gateway"})  # type: ignore[arg-type]


async def test_a_part_of_tls_is_no_tls(certs: Path) -> None:
    with pytest.raises(ValueError, match="all three or none"):
        MeshServer("127.0.0.1:0", TlsSettings(certificate=certs / "gateway.pem", key=certs / "gateway.key"))


async def test_a_taken_port_is_an_os_error() -> None:
    async with serving(shapes_server()) as server:
        with pytest.raises(OSError, match="cannot listen"):
            MeshServer(server.address)


async def test_messages_above_the_limit_are_refused() -> None:
    async with serving(shapes_server(limits=Limits(message_bytes=1000))) as server, MeshChannel(server.address) as channel:
        with pytest.raises(errors.InvalidArgument) as refused:
            await ask(channel, "unary_unary", "x" * 2000)
        assert refused.value.reason == "MESSAGE_TOO_LARGE"


async def test_callers_are_those_of_the_configuration(certs: Path) -> None:
    server = shapes_server(tls_settings=tls(certs, "audit"), callers={"gateway"})
    async with serving(server):
        async with MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
            assert await ask(channel, "unary_unary", "a") == ["a"]
        async with MeshChannel(server.address, tls(certs, "simbank"), server_name="audit") as channel:
            with pytest.raises(errors.PermissionDenied):
                await ask(channel, "unary_unary", "a")
        async with MeshChannel(server.address, tls(certs, "gateway"), server_name="risk-scoring") as channel:
            with pytest.raises(errors.Unavailable):
                await ask(channel, "unary_unary", "a")


async def test_new_certificates_are_served_without_a_restart(certs: Path, tmp_path: Path) -> None:
    server = shapes_server(tls_settings=tls(certs, "audit"), callers={"gateway"})
    old = tmp_path / "old"
    shutil.copytree(certs, old)
    async with serving(server):
        async with MeshChannel(server.address, tls(old, "gateway"), server_name="audit") as channel:
            assert await ask(channel, "unary_unary", "a") == ["a"]
        shutil.rmtree(certs)
        certificates.ensure_certificates(certs, dt.datetime.now(dt.UTC))  # another authority signs everything anew
        async with MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
            assert await ask(channel, "unary_unary", "a") == ["a"]
        async with MeshChannel(server.address, tls(old, "gateway"), server_name="audit") as channel:
            with pytest.raises(errors.Unavailable):
                await ask(channel, "unary_unary", "a")


async def test_a_broken_new_certificate_keeps_the_last_good_one(certs: Path) -> None:
    server = shapes_server(tls_settings=tls(certs, "audit"), callers={"gateway"})
    async with serving(server):
        async with MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
            assert await ask(channel, "unary_unary", "a") == ["a"]
        (certs / "audit.key").write_text("half a ke")
        (certs / "audit.pem").write_text("-----BEGIN CERT")
        async with MeshChannel(server.address, tls(certs, "gateway"), server_name="audit") as channel:
            assert await ask(channel, "unary_unary", "a") == ["a"]


async def test_an_idempotent_call_is_tried_again_when_unavailable() -> None:
    calls = 0

    async def flaky(request: Any, context: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise errors.Unavailable("not yet")
        return Response(decision_record=b"at last")

    server = MeshServer("127.0.0.1:0")
    handler = grpc.unary_unary_rpc_method_handler(flaky, Request.FromString, Response.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"unary_unary": handler}),))
    async with serving(server):
        async with MeshChannel(server.address, idempotent=[SERVICE]) as channel:
            assert await ask(channel, "unary_unary", "x") == ["at last"]
        calls = 0
        async with MeshChannel(server.address) as channel:
            with pytest.raises(errors.Unavailable):
                await ask(channel, "unary_unary", "x")
        assert calls == 1


async def test_metadata_above_the_limit_is_refused() -> None:
    async with serving(shapes_server()) as server, aio.insecure_channel(server.address) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{SERVICE}/unary_unary")(b"", metadata=(("x-padding", "p" * 20_000),))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
