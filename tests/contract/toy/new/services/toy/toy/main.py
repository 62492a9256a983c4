"""Composition root of toy: a flat list."""

from finmesh.toy.v1 import toy_service_pb2_grpc as rpc
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config

from toy.config import ToyConfig
from toy.servicer import ToyServicer


async def main() -> None:
    """Run until SIGTERM."""
    config = load_config(ToyConfig)
    async with Service(config, "toy") as service:
        await serve(config, service)


async def serve(config: ToyConfig, service: Service) -> None:
    """Build everything and serve."""
    server = MeshServer(config.listen, config.tls, callers=config.callers)
    rpc.add_ToyServiceServicer_to_server(ToyServicer(), server)
    await service.run(server)
