"""The gateway as its callers see it. The command line, the drills and the simulated bank reach it by this client alone."""

from finmesh_client.gateway import GatewayClient
from finmesh_client.tokens import TokenSource, by_tenant

__all__ = ["GatewayClient", "TokenSource", "by_tenant"]
