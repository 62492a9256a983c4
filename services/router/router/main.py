"""Composition root of the router: a flat list."""

from __future__ import annotations

from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config

from router.config import SERVICE, Config


async def main(config: Config | None = None) -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = config or load_config(Config)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


async def serve(config: Config, service: Service) -> None:
    """Build everything and serve."""
    await service.run(MeshServer.of(config, config.callers))
