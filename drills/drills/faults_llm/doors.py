"""Clients at every gateway of a campaign, with a token of somebody who may ask models."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from finmesh_client import GatewayClient
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, instance
from meshkit.config import TlsSettings

from drills.faults_llm.plan import COPIES


@asynccontextmanager
async def doors(places: Places, ports: Ports, copies: int = COPIES) -> AsyncIterator[list[GatewayClient]]:
    """A client for each gateway; none repeats anything by itself, so that every failure counts."""
    certs = places.certs
    tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "client.pem", key=certs / "client.key")
    async with AsyncExitStack() as stack:
        targets = [f"{LOOPBACK}:{ports.grpc(instance('gateway', number))}" for number in range(1, copies + 1)]
        yield [
            await stack.enter_async_context(GatewayClient(target, tls, lambda _: (certs / "assistant.jwt").read_text()))
            for target in targets
        ]
