"""THE process table: everything that runs in a local mesh, one row each, in reading order.

Our own services come from deploy/services.yaml. Environment variables that a service reads come from here and nowhere else, so this file
is also the list of what a deployment must set.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from meshkit import known_settings
from meshkit.crypto.derive import AUDIT_BATCH, signing
from provisioning import services
from provisioning.engines import Sizes, specialist
from provisioning.keys import LOG_KEY, path_of
from provisioning.services import Process, Service, ServiceTable, Specialist
from provisioning.tokens import AUDIENCE, ISSUER

from localmesh import encoder
from localmesh.engines import PID_FILE, engine_row, folder_of
from localmesh.external import NOTHING_EXTERNAL, External
from localmesh.health import GrpcHealth
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, instance
from localmesh.rows import Row, only
from localmesh.servers import kafka_row, milvus_row, redis_row, triton_row, zipkin_row

PARTITIONS = 2
"""Of every topic at most: a partition more means as many transactions more for the same load, and two cores are busy with two."""

_ROWS = {"redis": "redis", "triton": "triton", "milvus": "milvus", "encoder": encoder.NAME}
"""What a process uses, and the row that it waits for."""
_LISTENS = {"grpc": "FINMESH_LISTEN", "http": "FINMESH_HTTP_LISTEN", "metrics": "FINMESH_METRICS_LISTEN"}

ONE_EACH: Mapping[str, int] = MappingProxyType({})


def table(
    places: Places,
    ports: Ports,
    external: External = NOTHING_EXTERNAL,
    topic_prefix: str = "",
    copies: Mapping[str, int] = ONE_EACH,
    sizes: Sizes | None = None,
) -> list[Row]:
    """All rows of a mesh. Fetches software that is not there yet; MissingToolError when it cannot.

    `copies`: how many instances of a process, by its name; whoever calls it is told of all of them, and each fronts an engine of its own.
    `sizes`: of the engines. ValueError for what does not hang together.
    """
    ports = ports.with_copies(copies)
    at = Addresses(places, ports, external, topic_prefix, copies)
    servers = [
        *([] if external.kafka else [kafka_row(places, ports)]),
        *([] if external.redis else [redis_row(places, ports)]),
        *([] if external.triton else [triton_row(places, ports)]),
        *([] if external.milvus or not at.used("milvus") else [milvus_row(places, ports)]),
        *([] if external.triton_encoder or not at.used("encoder") else [encoder.encoder_row(places, ports)]),
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
        *at.engine_rows(sizes or Sizes.from_environment()),
        *(at.process(service, process, number) for service, process, number in at.instances()),
    ]  # fmt: skip
    return only(servers + rows, [row.name for row in servers + rows])  # an external server is somebody else's to start


def without_language_models(rows: list[Row]) -> list[Row]:
    """The rows without engines, those who front them, those who call nobody but these, and servers that nobody else uses.

    What decides transactions is all there.
    """
    known = services.load()
    fronting = {service.name for service in known.services if any(process.engine for process in service.processes)}
    left_out = set(fronting)
    while more := {service.name for service in known.services if service.calls and left_out.issuperset(service.calls)} - left_out:
        left_out |= more
    names = {process.name for name in left_out for process in known[name].processes}
    names |= {engine.name for engine in (*known.engines, *known.specialists)}
    kept = [row for row in rows if not any(row.name == name or _is_instance(row.name, name) for name in names)]
    needed = {name for row in kept for name in row.needs}
    unused = set(_ROWS.values()) - needed
    return only(rows, [row.name for row in kept if row.name not in unused])


def _is_instance(name: str, process: str) -> bool:
    return name.startswith(f"{process}-") and name.removeprefix(f"{process}-").isdigit()


class Addresses:
    """Where each part is reached, as the settings that services read."""

    def __init__(self, places: Places, ports: Ports, external: External, topic_prefix: str, copies: Mapping[str, int]) -> None:
        self.services = services.load()
        self._places, self._ports, self._external = places, ports, external
        self._copies = _checked(copies, self.services, external)
        self._served = places.served(each.serves for each in self.services.specialists)
        self.kafka = {
            "FINMESH_KAFKA__BOOTSTRAP_SERVERS": external.kafka or f"{LOOPBACK}:{ports.kafka}",
            "FINMESH_KAFKA__TOPIC_PREFIX": topic_prefix,
        }
        self._telemetry = (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": external.otlp}
            if external.otlp
            else {"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_ZIPKIN_ENDPOINT": f"http://{LOOPBACK}:{ports.zipkin}/api/v2/spans"}
        )

    def instances(self) -> Iterator[tuple[Service, Process, int]]:
        """Every process as often as it runs, its instances counted from 1."""
        for service in self.services.services:
            for process in service.processes:
                yield from ((service, process, number) for number in range(1, self._copies.get(process.name, 1) + 1))

    def used(self, dependency: str) -> bool:
        """Whether any process uses it: what nobody uses is not started."""
        return any(dependency in process.uses for process in self.services.processes)

    def engine_rows(self, sizes: Sizes) -> Iterator[Row]:
        """The Tritons of all processes that front engines, those of specialists where their models are here."""
        for service, process, number in self.instances():
            pulls_from = self.services.pulls_from(service.name)
            if process.engine and not self._external.engine(process.engine.name):
                yield engine_row(self._places, self._ports, service, process.engine, number=number, sizes=sizes, pulls_from=pulls_from)
            for each in self._specialists_of(process):
                model = self._served[each.serves]
                yield engine_row(
                    self._places, self._ports, service, each, number=number, sizes=specialist(sizes), pulls_from=pulls_from, model=model
                )

    def _specialists_of(self, process: Process) -> list[Specialist]:
        return [each for each in process.specialists if each.serves in self._served]

    def process(self, service: Service, process: Process, number: int = 1) -> Row:
        """The row of a process of ours: `python -m module`, gRPC health over mutual TLS."""
        name = instance(process.name, number)
        ports = self._ports.process(name)
        own = {
            **{setting: f"{LOOPBACK}:{ports[use]}" for use, setting in _LISTENS.items() if use in ports},
            "FINMESH_CALLERS": json.dumps(service.callers),
            "OTEL_SERVICE_NAME": service.name,
            "PYTHONUNBUFFERED": "1",
        }
        used = {setting: value for each in process.uses for setting, value in self._used(service, each, name).items()}
        keys = {name: value for each in process.keys for name, value in self._keys(service, each).items()}
        fronted = [*([process.engine] if process.engine else []), *self._specialists_of(process)]
        engines = [instance(engine.name, number) for engine in fronted]
        return Row(
            name=name,
            command=(sys.executable, "-m", process.module),
            env=self._telemetry | self._tls(service.name) | own | used | keys | self._upstreams(service, process) | self._engines(engines),
            reads=known_settings.by_service()[service.name] | {"OTEL_*"},
            ports=ports,
            needs=(
                "provision",
                *(_ROWS[each] for each in process.uses if each in _ROWS),
                *engines,
                *self._fronting(service, process),
            ),
            health=GrpcHealth(LOOPBACK, ports["grpc"], self._places.certs),
            cwd=self._places.root,  # models/repository is looked for from here, as from the image's work folder
        )

    def _used(self, service: Service, dependency: str, name: str) -> dict[str, str]:
        """Settings that lead to what an instance of a process uses."""
        ports, external, certs = self._ports, self._external, self._places.certs
        match dependency:
            case "kafka":
                return self.kafka
            case "redis":
                return {"FINMESH_REDIS__URL": external.redis or f"redis://{LOOPBACK}:{ports.redis}/0"}
            case "triton":
                return {"FINMESH_TRITON__URL": external.triton or f"{LOOPBACK}:{ports.triton_grpc}"}
            case "milvus":
                return {"FINMESH_MILVUS__URI": external.milvus or f"http://{LOOPBACK}:{ports.milvus}"}
            case "encoder":
                return {
                    "FINMESH_ENCODER__URL": external.triton_encoder or f"{LOOPBACK}:{ports.triton_encoder_grpc}",
                    "FINMESH_ENCODER__MODEL": str(self._places.encoder_model),
                }
            case "models":
                return {
                    "FINMESH_MODELS": json.dumps([str(each) for each in (self._places.llm_model, *dict.fromkeys(self._served.values()))])
                }
            case "tokens":
                return {"FINMESH_AUTH__JWKS": str(certs / "jwks.json"), "FINMESH_AUTH__ISSUER": ISSUER, "FINMESH_AUTH__AUDIENCE": AUDIENCE}
            case "database":
                file = self._places.var / service.name / f"{service.name}.db"
                return {f"FINMESH_{_upper(service.name)}__DATABASE_URL": external.database or f"sqlite:///{file}"}
            case "ledger":
                folder = self._places.var / service.name
                return {"FINMESH_LEDGER__DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}", "FINMESH_LEDGER__BLOBS": str(folder / "blobs")}
            case "index":
                return {"FINMESH_READER__INDEX": str(self._places.var / service.name / name / "index")}
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

    def _upstreams(self, service: Service, process: Process) -> dict[str, str]:
        called = service.calls_of(process)
        return {f"FINMESH_UPSTREAM__{_upper(name)}": self._target(self.services[name].called) for name in called}

    def _fronting(self, service: Service, process: Process) -> list[str]:
        """Instances of what it calls that front engines: it is ready when it has heard of engines, and those take their time to be warm."""
        called = [self.services[name].called for name in service.calls_of(process)]
        return [instance(each.name, number) for each in called if each.engine for number in range(1, self._copies[each.name] + 1)]

    def _target(self, process: Process) -> str:
        """gRPC target of every instance."""
        numbers = range(1, self._copies.get(process.name, 1) + 1)
        addresses = [f"{LOOPBACK}:{self._ports.grpc(instance(process.name, number))}" for number in numbers]
        return addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"

    def _engines(self, names: list[str]) -> dict[str, str]:
        """The engines that a process fronts."""
        return {"FINMESH_ENGINES": json.dumps([self._engine(name) for name in names])} if names else {}

    def _engine(self, name: str) -> dict[str, str]:
        """Ours, whose process it may end, or one that runs already."""
        if external := self._external.engine(name):
            return {"url": external}
        return {"url": f"{LOOPBACK}:{self._ports.engine(name)['grpc']}", "pid_file": str(folder_of(self._places, name) / PID_FILE)}

    def _tls(self, identity: str) -> dict[str, str]:
        """Certificate, key and authority of one service."""
        certs = self._places.certs
        return {
            "FINMESH_TLS__CERTIFICATE": str(certs / f"{identity}.pem"),
            "FINMESH_TLS__KEY": str(certs / f"{identity}.key"),
            "FINMESH_TLS__AUTHORITY": str(certs / "authority.pem"),
        }


def _checked(copies: Mapping[str, int], known: ServiceTable, external: External) -> Mapping[str, int]:
    """How often each process runs. An engine may be named too, with as many as the process that fronts it. Raises ValueError."""
    processes = {process.name: process for process in known.processes}
    engines = {process.engine.name: process.name for process in known.processes if process.engine}
    for name, count in copies.items():
        if name not in processes.keys() | engines.keys() or count < 1:
            raise ValueError(f"{count} of {name}: there is no such process, or none of it")
        if copies.get(engines.get(name, name), 1) != count:
            raise ValueError(f"each {engines[name]} fronts one {name}: as many of both")
    for engine, process in engines.items():
        if copies.get(process, 1) > 1 and external.engine(engine):
            raise ValueError(f"{engine} runs already, and is fronted by one {process}")
    return {name: copies.get(name, 1) for name in processes}


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
