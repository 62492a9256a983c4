"""Where a run happens: folder, ports, tokens, and the number that salts its identities."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from finmesh_client import GatewayClient, by_tenant
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from meshkit.config import KafkaSettings, TlsSettings
from provisioning.tokens import issuer_key, mint
from simbank.population import TENANTS


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the parts of a run need to find the mesh."""

    places: Places
    ports: Ports
    tokens: dict[str, str]  # by tenant
    run: int

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{self.ports.kafka}")

    @property
    def gateway(self) -> str:
        return f"{LOOPBACK}:{self.ports.grpc('gateway')}"

    def client(self) -> GatewayClient:
        """The bank at the gateway, with a token for each tenant. It repeats nothing by itself."""
        certs = self.places.certs
        tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "simbank.pem", key=certs / "simbank.key")
        return GatewayClient(self.gateway, tls, by_tenant(self.tokens))

    def assistant(self) -> GatewayClient:
        """Somebody of bank-a's staff who may ask the models."""
        return self._person("assistant.jwt")

    def desk(self) -> GatewayClient:
        """Somebody of bank-a's OTC desk."""
        return self._person("desk.jwt")

    def curator(self) -> GatewayClient:
        """Somebody of bank-a who keeps its documents."""
        return self._person("curator.jwt", "knowledge-management")

    def reader(self) -> GatewayClient:
        """Somebody of bank-a who may read what is internal, and nothing above."""
        return self._person("reader.jwt", "claims-handling")

    def operator(self) -> GatewayClient:
        """Somebody of bank-a who grants rights, and reads no document."""
        return self._person("operator.jwt")

    def auditor(self) -> GatewayClient:
        """Somebody of bank-a who may read the audit log."""
        return self._person("token.jwt")

    def _person(self, token: str, purpose: str = "") -> GatewayClient:
        certs = self.places.certs
        tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "client.pem", key=certs / "client.key")
        return GatewayClient(self.gateway, tls, lambda _: (certs / token).read_text(), purpose=purpose)

    @property
    def zipkin(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.zipkin}"

    @property
    def audit_file(self) -> Path:
        return self.places.var / "audit" / "audit.db"


def bank_tokens(places: Places) -> dict[str, str]:
    """A token of core-banking for each tenant of the simulated bank."""
    key, now = issuer_key(places.certs), dt.datetime.now(dt.UTC)
    return {tenant: mint(key, now, tenant=tenant) for tenant in TENANTS}
