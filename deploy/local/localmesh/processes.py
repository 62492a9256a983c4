"""THE process table: everything that runs in a local mesh, one row each, in reading order.

To add a service, add its ports to `ports.Ports` and one row here. Environment variables that a service reads come from
here and nowhere else, so this file is also the list of what a deployment must set.
"""

import sys

from localmesh.external import NOTHING_EXTERNAL, External
from localmesh.health import GrpcHealth
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.rows import Row, only
from localmesh.servers import kafka_row, redis_row, triton_row, zipkin_row
from localmesh.tokens import AUDIENCE, ISSUER

PARTITIONS = 2
"""Of every topic at most: a partition more means as many transactions more for the same load, and two cores are busy with two."""


def table(places: Places, ports: Ports, external: External = NOTHING_EXTERNAL, topic_prefix: str = "") -> list[Row]:
    """All rows of a mesh. Fetches software that is not there yet; MissingToolError when it cannot."""
    at = Addresses(places, ports, external, topic_prefix)
    servers = [
        *([] if external.kafka else [kafka_row(places, ports)]),
        *([] if external.redis else [redis_row(places, ports)]),
        *([] if external.triton else [triton_row(places, ports)]),
        *([] if external.otlp else [zipkin_row(places, ports)]),
    ]
    rows = [
        Row(
            name="provision",
            command=(
                sys.executable, "-m", "localmesh", "provision", "--file", str(places.topics), "--most-partitions", str(PARTITIONS),
            ),
            env=at.kafka,
            needs=("kafka",),
            one_shot=True,
        ),
        at.service(
            "audit", "audit", identity="audit", port=ports.audit, metrics=ports.audit_metrics, needs=("provision",), env=at.audit
        ),
        at.service(
            "risk-stream", "risk_scoring.main.stream", identity="risk-scoring",
            port=ports.risk_stream, metrics=ports.risk_stream_metrics, needs=("provision", "redis", "triton"), env=at.risk,
        ),
        at.service(
            "risk-rpc", "risk_scoring.main.rpc", identity="risk-scoring",
            port=ports.risk_rpc, metrics=ports.risk_rpc_metrics, needs=("provision", "redis", "triton"), env=at.risk,
        ),
        at.service(
            "gateway", "gateway", identity="gateway",
            port=ports.gateway, metrics=ports.gateway_metrics, needs=("provision", "redis"), env=at.gateway,
        ),
    ]  # fmt: skip
    return only(servers + rows, [row.name for row in servers + rows])  # an external server is somebody else's to start


class Addresses:
    """Where each part is reached, as the settings that services read."""

    def __init__(self, places: Places, ports: Ports, external: External, topic_prefix: str) -> None:
        self._places = places
        self.kafka = {
            "FINMESH_KAFKA__BOOTSTRAP_SERVERS": external.kafka or f"{LOOPBACK}:{ports.kafka}",
            "FINMESH_KAFKA__TOPIC_PREFIX": topic_prefix,
        }
        self.redis = {"FINMESH_REDIS__URL": external.redis or f"redis://{LOOPBACK}:{ports.redis}/0"}
        self.triton = {"FINMESH_TRITON__URL": external.triton or f"{LOOPBACK}:{ports.triton_grpc}"}
        self.telemetry = (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": external.otlp}
            if external.otlp
            else {"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_ZIPKIN_ENDPOINT": f"http://{LOOPBACK}:{ports.zipkin}/api/v2/spans"}
        )
        self.risk = self.redis | self.triton
        self.audit = {"FINMESH_AUDIT__DATABASE_URL": external.database or f"sqlite:///{places.var / 'audit' / 'audit.db'}"}
        self.gateway = self.redis | {
            "FINMESH_UPSTREAM__RISK_SCORING": f"{LOOPBACK}:{ports.risk_rpc}",
            "FINMESH_UPSTREAM__AUDIT": f"{LOOPBACK}:{ports.audit}",
            "FINMESH_AUTH__JWKS": str(places.certs / "jwks.json"),
            "FINMESH_AUTH__ISSUER": ISSUER,
            "FINMESH_AUTH__AUDIENCE": AUDIENCE,
        }

    def tls(self, identity: str) -> dict[str, str]:
        """Certificate, key and authority of one service."""
        certs = self._places.certs
        return {
            "FINMESH_TLS__CERTIFICATE": str(certs / f"{identity}.pem"),
            "FINMESH_TLS__KEY": str(certs / f"{identity}.key"),
            "FINMESH_TLS__AUTHORITY": str(certs / "authority.pem"),
        }

    def service(
        self, name: str, module: str, *, identity: str, port: int, metrics: int, needs: tuple[str, ...], env: dict[str, str]
    ) -> Row:
        """A row of one of our own services: `python -m module`, gRPC health over mutual TLS."""
        listen = {"FINMESH_LISTEN": f"{LOOPBACK}:{port}", "FINMESH_METRICS_LISTEN": f"{LOOPBACK}:{metrics}"}
        own = {"OTEL_SERVICE_NAME": identity, "PYTHONUNBUFFERED": "1"}
        return Row(
            name=name,
            command=(sys.executable, "-m", module),
            env=self.kafka | self.telemetry | self.tls(identity) | listen | own | env,
            ports={"grpc": port, "metrics": metrics},
            needs=needs,
            health=GrpcHealth(LOOPBACK, port, self._places.certs),
            cwd=self._places.root,  # models/repository is looked for from here, as from the image's work folder
        )
