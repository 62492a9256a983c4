"""The HTTP door, in the process of the gRPC door and made of the same parts (ADR 25)."""

from __future__ import annotations

from meshkit.rpc import tls as rpc_tls
from meshkit.service import Service

from gateway.config import GatewayConfig
from gateway.domain.route import Route
from gateway.http.door import Door
from gateway.http.server import Bounds, HttpServer
from gateway.main.parts import Parts
from gateway.usecases.forward import Forward
from gateway.usecases.forward_stream import ForwardStream


async def open_door(
    config: GatewayConfig, service: Service, parts: Parts, routes: tuple[Route, ...], forward: Forward, forward_stream: ForwardStream
) -> None:
    """Serve until the service stops."""
    is_mutual = rpc_tls.is_configured(config.tls)
    door = Door(
        config.http,
        {route.method: route for route in routes},
        forward,
        forward_stream,
        callers=config.callers if is_mutual else None,
        refused=parts.denials.refused,
        quotas=parts.quotas,
        permits=parts.admit.permits,
        assumed_output_tokens=config.budget.assumed_output_tokens,
        concurrent_calls=config.concurrent_calls,
        slow_reader_s=config.slow_reader_s,
        connection_age_s=config.connection_age_s,
    )
    context = rpc_tls.server_context(config.tls) if is_mutual else None
    server = HttpServer(door, config.http_listen, context, Bounds(config.http.header_bytes, config.http.idle_s))
    await server.start()
    service.http_port = server.port

    async def close() -> None:
        await service.stopping.wait()
        await server.stop(config.shutdown_grace_s)

    service.task(close(), name="http door")
