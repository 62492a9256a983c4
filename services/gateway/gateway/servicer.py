"""All RPCs of ``GatewayService`` from the table of routes: translate, forward, translate. Requests and responses stay bytes for gRPC."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from meshkit.crypto.keyed_ids import uuid7
from meshkit.rpc import metadata
from meshkit.rpc.chain import Call, current_call
from meshkit.telemetry import names

from gateway.domain.call import Caller, thumbprint
from gateway.domain.route import Route, Stream
from gateway.translate import SERVICE, Codec, pack
from gateway.usecases.forward import Forward
from gateway.usecases.forward_stream import ForwardStream

SERVICE_NAME = SERVICE.full_name


def handlers(
    routes: tuple[Route, ...],
    forward: Forward,
    forward_stream: ForwardStream,
    service: ServiceDescriptor = SERVICE,
    assumed_output_tokens: int = 0,
) -> grpc.GenericRpcHandler:
    """Return the gRPC handlers of every route."""
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
    for route in routes:
        codec = Codec(route, service, assumed_output_tokens)
        if route.stream is None:
            methods[route.method] = grpc.unary_unary_rpc_method_handler(_single(route, codec, forward))
        else:
            methods[route.method] = grpc.unary_stream_rpc_method_handler(_many(route, route.stream, codec, forward_stream))
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _single(route: Route, codec: Codec, forward: Forward) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def handle(raw: bytes, context: Any) -> bytes:
        return pack(await forward(route, _caller(context), lambda _: codec.unpack(raw)))

    return handle


def _many(route: Route, bounds: Stream, codec: Codec, forward: ForwardStream) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
    async def handle(raw: bytes, context: Any) -> AsyncIterator[bytes]:
        async with aclosing(forward(route, bounds, _caller(context), lambda _: codec.unpack(raw))) as responses:
            async for response in responses:
                yield pack(response)

    return handle


def _caller(context: Any) -> Caller:
    """How the current call came in. Gives it its request id, which the caller is told in the trailing metadata."""
    call = current_call()
    caller = Caller(
        authorization=call.header("authorization") or "",
        workload=call.peer,
        purpose=call.header(metadata.PURPOSE) or "",
        request_id=uuid7(),
        certificate_sha256=lambda: _thumbprint(call),
    )
    call.facts[names.REQUEST_ID] = caller.request_id
    context.set_trailing_metadata(((metadata.REQUEST_ID, caller.request_id),))
    return caller


def _thumbprint(call: Call) -> str:
    pem: bytes = next(iter(call.context.auth_context().get("x509_pem_cert") or ()), b"")
    if not pem:
        return ""
    return thumbprint(ssl.PEM_cert_to_DER_cert(pem.decode("ascii")))
