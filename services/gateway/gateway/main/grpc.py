"""The gRPC door, and beside it in the same process the HTTP door where one is asked for."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor import ServiceDescriptor
from meshkit.config import KafkaSettings
from meshkit.events.offsets_in_db import OffsetsInDb
from meshkit.events.publisher import Publisher
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import Limits, MeshServer
from meshkit.service import Service, load_config, run

from gateway.config import GatewayConfig
from gateway.domain.route import MIB, Route
from gateway.main.http import open_door
from gateway.main.parts import assemble
from gateway.routes import ROUTES
from gateway.servicer import handlers
from gateway.translate import SERVICE
from gateway.usecases.forward import Forward
from gateway.usecases.forward_stream import ForwardStream


async def main(config: GatewayConfig | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = config or load_config(GatewayConfig)
    async with Service(config, "gateway") as service:
        await serve(config, service)


def deadlines(routes: tuple[Route, ...], described: ServiceDescriptor = SERVICE) -> Deadlines:
    """How long each method may take here."""
    return Deadlines(maximum_s={f"/{described.full_name}/{route.method}": route.maximum_s for route in routes})


async def serve(
    config: GatewayConfig,
    service: Service,
    publisher: Callable[[KafkaSettings], Publisher] = Publisher,
    routes: tuple[Route, ...] = ROUTES,
    described: ServiceDescriptor = SERVICE,
    topic: Callable[..., OffsetsInDb] = OffsetsInDb,
) -> None:
    """Build everything and serve."""
    parts = await assemble(config, service, publisher, routes, topic)
    limits = Limits(
        message_bytes=2 * MIB + 64 * 1024,
        streams_per_connection=config.streams_per_connection,
        concurrent_calls=config.concurrent_calls,
        slow_reader_s=config.slow_reader_s,
    )

    server = MeshServer.of(config, config.callers, deadlines(routes, described), limits, parts.denials.refused)
    forward, forward_stream = Forward(parts.admit, parts.meter, parts.upstreams), ForwardStream(parts.admit, parts.meter, parts.upstreams)
    rpcs = handlers(routes, forward, forward_stream, described, config.budget.assumed_output_tokens)
    server.add_generic_rpc_handlers((rpcs,))
    if config.http_listen:
        await open_door(config, service, parts, routes, forward, forward_stream)
    await service.run(server)


if __name__ == "__main__":
    run(main())
