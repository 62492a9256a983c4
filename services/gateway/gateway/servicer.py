"""All RPCs of ``GatewayService`` from the table of routes: translate, forward, translate. Requests and responses stay bytes for gRPC."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import grpc
from meshkit.crypto.keyed_ids import uuid7
from meshkit.rpc import metadata
from meshkit.rpc.chain import Call, current_call
from meshkit.telemetry import names

from gateway.domain.route import Route
from gateway.translate import SERVICE, Codec, pack
from gateway.usecases.forward import Caller, Forward, HeaderNames

HEADERS = HeaderNames(
    request_id=metadata.REQUEST_ID,
    principal=metadata.PRINCIPAL,
    tenant=metadata.TENANT,
    scenario=metadata.SCENARIO,
    purpose=metadata.PURPOSE,
    policy_hash=metadata.POLICY_HASH,
)


SERVICE_NAME = SERVICE.full_name


def handlers(routes: tuple[Route, ...], forward: Forward) -> grpc.GenericRpcHandler:
    """Return the gRPC handlers of every route."""
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        route.method: grpc.unary_unary_rpc_method_handler(_handler(route, Codec(route), forward)) for route in routes
    }
    return grpc.method_handlers_generic_handler(SERVICE_NAME, methods)


def _handler(route: Route, codec: Codec, forward: Forward) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def handle(raw: bytes, context: Any) -> bytes:
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
        return pack(await forward(route, caller, lambda: codec.unpack(raw)))

    return handle


def _thumbprint(call: Call) -> str:
    pem: bytes = next(iter(call.context.auth_context().get("x509_pem_cert") or ()), b"")
    if not pem:
        return ""
    digest = sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
