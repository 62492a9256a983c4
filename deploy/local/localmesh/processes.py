"""THE process table: everything that runs in a local mesh, one row each, in reading order.

Our own services come from deploy/services.yaml. Environment variables that a service reads come from here and nowhere else, so this file
is also the list of what a deployment must set.
"""

import json
import sys

from meshkit import known_settings
from meshkit.crypto.derive import AUDIT_BATCH, signing
from provisioning import services
from provisioning.keys import LOG_KEY, path_of
from provisioning.services import Process, Service
from provisioning.tokens import AUDIENCE, ISSUER

from localmesh.external import NOTHING_EXTERNAL, External
from localmesh.health import GrpcHealth
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.rows import Row, only
from localmesh.servers import kafka_row, redis_row, triton_row, zipkin_row

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
                sys.executable, "-m", "provisioning", "topics", "--file", str(places.topics), "--max-partitions", str(PARTITIONS),
            ),
            env=at.kafka,
            reads=frozenset({"FINMESH_KAFKA__*", "FINMESH_ALLOW_CLEAR_TEXT"}),
            needs=("kafka",),
            one_shot=True,
        ),
        *(at.process(service, process) for service in at.services.services for process in service.processes),
    ]  # fmt: skip
    return only(servers + rows, [row.name for row in servers + rows])  # an external server is somebody else's to start


class Addresses:
    """Where each part is reached, as the settings that services read."""

    def __init__(self, places: Places, ports: Ports, external: External, topic_prefix: str) -> None:
        self.services = services.load()
        self._places, self._ports, self._external = places, ports, external
        self.kafka = {
            "FINMESH_KAFKA__BOOTSTRAP_SERVERS": external.kafka or f"{LOOPBACK}:{ports.kafka}",
            "FINMESH_KAFKA__TOPIC_PREFIX": topic_prefix,
        }
        self._telemetry = (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": external.otlp}
            if external.otlp
            else {"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_ZIPKIN_ENDPOINT": f"http://{LOOPBACK}:{ports.zipkin}/api/v2/spans"}
        )

    def process(self, service: Service, process: Process) -> Row:
        """The row of a process of ours: `python -m module`, gRPC health over mutual TLS."""
        port, metrics = self._ports.grpc(process.name), self._ports.metrics(process.name)
        own = {
            "FINMESH_LISTEN": f"{LOOPBACK}:{port}",
            "FINMESH_METRICS_LISTEN": f"{LOOPBACK}:{metrics}",
            "FINMESH_CALLERS": json.dumps(service.callers),
            "OTEL_SERVICE_NAME": service.name,
            "PYTHONUNBUFFERED": "1",
        }
        used = {name: value for each in process.uses for name, value in self._used(service, each).items()}
        keys = {name: value for each in process.keys for name, value in self._keys(service, each).items()}
        return Row(
            name=process.name,
            command=(sys.executable, "-m", process.module),
            env=self._telemetry | self._tls(service.name) | own | used | keys | self._upstreams(service),
            reads=known_settings.by_service()[service.name] | {"OTEL_*"},
            ports={"grpc": port, "metrics": metrics},
            needs=("provision", *(each for each in process.uses if each in {"redis", "triton"})),
            health=GrpcHealth(LOOPBACK, port, self._places.certs),
            cwd=self._places.root,  # models/repository is looked for from here, as from the image's work folder
        )

    def _used(self, service: Service, dependency: str) -> dict[str, str]:
        """Settings that lead to what a process uses."""
        ports, external, certs = self._ports, self._external, self._places.certs
        match dependency:
            case "kafka":
                return self.kafka
            case "redis":
                return {"FINMESH_REDIS__URL": external.redis or f"redis://{LOOPBACK}:{ports.redis}/0"}
            case "triton":
                return {"FINMESH_TRITON__URL": external.triton or f"{LOOPBACK}:{ports.triton_grpc}"}
            case "tokens":
                return {"FINMESH_AUTH__JWKS": str(certs / "jwks.json"), "FINMESH_AUTH__ISSUER": ISSUER, "FINMESH_AUTH__AUDIENCE": AUDIENCE}
            case "database":
                file = self._places.var / service.name / f"{service.name}.db"
                return {f"FINMESH_{_upper(service.name)}__DATABASE_URL": external.database or f"sqlite:///{file}"}
        raise ValueError(f"{service.name} uses {dependency}, of which nothing is known")

    def _keys(self, service: Service, purpose: str) -> dict[str, str]:
        """Settings that name the key files of a purpose."""
        folder, producers = self._places.keys, self.services.producers
        match purpose:
            case "signing":
                return {"FINMESH_KEYS__AUDIT_BATCH": str(path_of(folder, signing(service.name)))}
            case "verifying":
                rings = {workload: str(path_of(folder, signing(workload))) for workload in sorted(set(producers.values()))}
                return {
                    "FINMESH_KEYS__AUDIT_BATCH": json.dumps(rings),
                    "FINMESH_KEYS__AUDIT_BATCH_SHARED": str(path_of(folder, AUDIT_BATCH)),
                    "FINMESH_AUDIT__PRODUCERS": json.dumps(producers),
                }
            case "log":
                return {"FINMESH_AUDIT__SIGNING_KEY_FILE": str(folder / LOG_KEY)}
        return {f"FINMESH_KEYS__{_upper(purpose)}": str(path_of(folder, purpose))}

    def _upstreams(self, service: Service) -> dict[str, str]:
        called = {name: self.services[name].called for name in service.calls}
        return {f"FINMESH_UPSTREAM__{_upper(name)}": f"{LOOPBACK}:{self._ports.grpc(process.name)}" for name, process in called.items()}

    def _tls(self, identity: str) -> dict[str, str]:
        """Certificate, key and authority of one service."""
        certs = self._places.certs
        return {
            "FINMESH_TLS__CERTIFICATE": str(certs / f"{identity}.pem"),
            "FINMESH_TLS__KEY": str(certs / f"{identity}.key"),
            "FINMESH_TLS__AUTHORITY": str(certs / "authority.pem"),
        }


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
