"""Upstream services over mutual TLS. Requests and responses pass as bytes; the owner's typed errors pass as they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from grpc_health.v1 import health_pb2, health_pb2_grpc
from meshkit.config import TlsSettings
from meshkit.errors import Unavailable
from meshkit.rpc.channel import MeshChannel

from gateway.domain.route import Route

RETRY_AFTER_S = 0.5


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
            route.method: self._channels[route.upstream].unary_unary(route.upstream_path) for route in routes
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

    async def call(self, route: Route, body: bytes, headers: tuple[tuple[str, str], ...]) -> bytes:
        """Call the owner; see ``ports.Upstreams``."""
        try:
            return await self._calls[route.method](body, timeout=route.maximum_s, metadata=headers)
        except Unavailable as error:
            if error.retry_after_s is not None:
                raise
            # gRPC's own text names addresses; the owner's typed errors always carry a reason of theirs.
            own = error.reason != Unavailable.default_reason
            message = error.message if own else f"{route.upstream} cannot be reached"
            raise Unavailable(message, reason=error.reason, metadata=error.metadata, retry_after_s=RETRY_AFTER_S) from None

    async def probe(self, upstream: str) -> None:
        """Raise when an upstream does not say SERVING."""
        stub: Any = health_pb2_grpc.HealthStub(self._channels[upstream])
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise Unavailable(f"{upstream} is not ready", reason="UPSTREAM_NOT_READY")
