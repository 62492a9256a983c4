"""Upstream services over mutual TLS. Requests and responses pass as bytes; the owner's typed errors pass as they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Self

from grpc_health.v1 import health_pb2, health_pb2_grpc
from meshkit.config import TlsSettings
from meshkit.errors import Unavailable
from meshkit.rpc import metadata
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.responses import Responses

from gateway.domain.call import Admitted
from gateway.domain.route import Route

RETRY_AFTER_S = 0.5
CONNECT_S = 1.0
"""How long a stream waits for an owner that just started: gRPC goes on refusing calls until its pause between two tries is over."""


class GrpcUpstreams:
    """One channel per upstream; ``targets`` are host:port. Each must show the certificate of the service it is said to be."""

    def __init__(self, routes: tuple[Route, ...], targets: Mapping[str, str], tls: TlsSettings) -> None:
        self._channels = {
            name: MeshChannel(
                target,
                tls,
                server_name=name,
                idempotent=[route.upstream_path[1:] for route in routes if route.upstream == name and route.idempotent],
            )
            for name, target in targets.items()
        }
        self._calls: dict[str, Callable[..., Awaitable[bytes]]] = {
            route.method: self._channels[route.upstream].unary_unary(route.upstream_path) for route in routes if route.stream is None
        }
        self._streams: dict[str, Callable[..., Responses]] = {
            route.method: self._channels[route.upstream].unary_stream(route.upstream_path) for route in routes if route.stream is not None
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Return the upstreams."""
        return tuple(self._channels)

    async def __aenter__(self) -> Self:
        """Return the adapter; channels connect with the first call."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close all channels."""
        for channel in self._channels.values():
            await channel.close()

    async def call(self, route: Route, admitted: Admitted) -> bytes:
        """Call the owner; see ``ports.Upstreams``."""
        try:
            return await self._calls[route.method](admitted.body, timeout=route.maximum_s, metadata=_headers(admitted))
        except Unavailable as error:
            raise _unavailable(error, route) from None

    async def stream(self, route: Route, admitted: Admitted) -> AsyncGenerator[bytes, None]:
        """Call the owner; see ``ports.Upstreams``."""
        await self._channels[route.upstream].connected(CONNECT_S)
        responses = self._streams[route.method](admitted.body, timeout=route.maximum_s, metadata=_headers(admitted))
        async with aclosing(responses):
            try:
                async for response in responses:
                    yield response
            except Unavailable as error:
                raise _unavailable(error, route) from None

    async def probe(self, upstream: str) -> None:
        """Raise when an upstream does not say SERVING."""
        stub: Any = health_pb2_grpc.HealthStub(self._channels[upstream])
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise Unavailable(f"{upstream} is not ready", reason="UPSTREAM_NOT_READY")


def _headers(admitted: Admitted) -> tuple[tuple[str, str], ...]:
    """Return the gateway's findings as the headers that owners trust from the gateway's certificate alone."""
    return (
        (metadata.REQUEST_ID, admitted.request_id),
        (metadata.PRINCIPAL, admitted.principal),
        (metadata.TENANT, admitted.tenant),
        (metadata.SCENARIO, admitted.scenario),
        (metadata.PURPOSE, admitted.purpose),
        (metadata.POLICY_HASH, admitted.policy_hash),
        *(((metadata.BUDGET_KEY, admitted.budget_key.hex()),) if admitted.budget_key else ()),
        *(((metadata.CLEARANCE, str(admitted.clearance)),) if admitted.clearance > 1 else ()),
    )


def _unavailable(error: Unavailable, route: Route) -> Unavailable:
    """Return the error as the caller sees it. gRPC's own text names addresses; the owner's typed errors always carry a reason of theirs."""
    if error.retry_after_s is not None:
        return error
    own = error.reason != Unavailable.default_reason
    message = error.message if own else f"{route.upstream} cannot be reached"
    return Unavailable(message, reason=error.reason, metadata=error.metadata, retry_after_s=RETRY_AFTER_S)
