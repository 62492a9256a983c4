"""deploy/services.yaml: every service of the mesh, as data.

Unknown fields are refused, so that a typing error is not silently a default.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from provisioning.documents import read

FILE = Path(__file__).resolve().parents[2] / "services.yaml"
NAME = r"^[a-z][a-z0-9-]{0,39}$"
Dependency = Literal["kafka", "redis", "triton", "database", "tokens", "models", "ledger", "index", "milvus", "encoder"]
Purpose = Literal["ids", "commitment", "seal", "principals", "namespaces", "signing", "verifying", "log"]
EnginePurpose = Literal["tickets"]
Role = Literal["prefill", "decode"]


def model_of(role: Role) -> str:
    """What the model of an engine is called in Triton, and the folder of its shim."""
    return f"llm_{role}"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Ports(_Entry):
    def by_use(self) -> dict[str, int]:
        """The ports that it has."""
        return {use: port for use, port in self.model_dump().items() if port is not None}


class ProcessPorts(_Ports):
    """Where a process listens, unless it is told otherwise; `http`: of one that has an HTTP door beside its RPCs."""

    grpc: int = Field(ge=1, le=65_535)
    http: int | None = Field(default=None, ge=1, le=65_535)
    metrics: int = Field(ge=1, le=65_535)


class EnginePorts(_Ports):
    """Where the Triton of an engine listens; `kv`: where other engines pull key-value blocks, of a prefill engine alone."""

    http: int = Field(ge=1, le=65_535)
    grpc: int = Field(ge=1, le=65_535)
    metrics: int = Field(ge=1, le=65_535)
    kv: int | None = Field(default=None, ge=1, le=65_535)


class Engine(_Entry):
    """A Triton of its own with one language model, on the host or in the pod of the process that fronts it.

    `name`: its row in the local mesh, its container, and the worker it is. `pulled_by`: whose engines may pull its key-value blocks.
    """

    name: str = Field(pattern=NAME)
    role: Role
    ports: EnginePorts
    keys: tuple[EnginePurpose, ...] = ()
    pulled_by: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """What its model is called in Triton."""
        return model_of(self.role)

    @model_validator(mode="after")
    def _is_pulled_from_somewhere(self) -> "Engine":
        if bool(self.pulled_by) != (self.ports.kv is not None):
            raise ValueError(f"{self.name}: a port kv and pulled_by, both or neither")
        return self


class Specialist(Engine):
    """A further engine of the same process, for a model that the repository ships. `serves`: its folder in models/specialists."""

    serves: str = Field(pattern=NAME)


class Process(_Entry):
    """`name`: its row in the local mesh. `workload`: its Deployment or StatefulSet. `called`: other services reach their RPCs here.

    `keys`: what its keys are for; "signing" its own audit batches, "verifying" everybody's. `engine`: the one that it fronts.
    `calls`: which of the services that its service calls; all of them when it is not said.
    """

    name: str = Field(pattern=NAME)
    workload: str = Field(pattern=NAME)
    module: str = Field(pattern=r"^[a-z_]+(\.[a-z_]+)*$")
    ports: ProcessPorts
    uses: tuple[Dependency, ...]
    keys: tuple[Purpose, ...] = ()
    called: bool = False
    calls: tuple[str, ...] | None = None
    engine: Engine | None = None
    specialists: tuple[Specialist, ...] = ()

    @property
    def fronted(self) -> tuple[Engine, ...]:
        """All engines that it may front, the general model's first."""
        return (*([self.engine] if self.engine else []), *self.specialists)

    @model_validator(mode="after")
    def _specialists_are_beside_one(self) -> "Process":
        if self.specialists and self.engine is None:
            raise ValueError(f"{self.name}: specialists stand beside an engine")
        if self.engine and any(each.role != self.engine.role for each in self.specialists):
            raise ValueError(f"{self.name}: a specialist has the role of the engine that it stands beside")
        return self


class Service(_Entry):
    """`name`: its folder, its identity and that of its certificate. `producers`: how the producers of its audit batches begin.

    `answers`: the gRPC services that it answers; of its own package when none is named.
    """

    name: str = Field(pattern=NAME)
    package: str = Field(pattern=r"^[a-z_]+$")
    description: str
    callers: tuple[str, ...]
    calls: tuple[str, ...] = ()
    producers: tuple[Annotated[str, Field(pattern=r"^[!-~]{1,127}/$")], ...] = ()
    answers: tuple[Annotated[str, Field(pattern=r"^finmesh(\.[a-z0-9]+)+\.[A-Za-z]+Service$")], ...] = ()
    processes: tuple[Process, ...] = Field(min_length=1)

    def calls_of(self, process: Process) -> tuple[str, ...]:
        """Which services a process of this one calls."""
        return self.calls if process.calls is None else process.calls

    @property
    def called(self) -> Process:
        """The process behind its RPCs. Raises ValueError: a table that lacks one, or names two, is a mistake in the file."""
        found = [process for process in self.processes if process.called]
        if len(found) != 1:
            raise ValueError(f"{self.name} has {len(found)} processes that are called")
        return found[0]


class ServiceTable(_Entry):
    """The whole file."""

    services: tuple[Service, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> "ServiceTable":
        ports = [port for process in self.processes for port in process.ports.by_use().values()]
        fronted = [engine for process in self.processes for engine in process.fronted]
        ports += [port for engine in fronted for port in engine.ports.by_use().values()]
        prefixes = [prefix for service in self.services for prefix in service.producers]
        names = [process.name for process in self.processes] + [engine.name for engine in fronted]
        for kind, values in (("service", self.names), ("process", names), ("port", ports), ("producer", prefixes)):
            twice = {value for value in values if list(values).count(value) > 1}
            if twice:
                raise ValueError(f"{kind} {', '.join(map(str, sorted(twice)))} stands there twice")
        for service in self.services:
            for name in service.calls:
                if service.name not in self[name].callers:
                    raise ValueError(f"{service.name} calls {name}, which does not name it among its callers")
                _ = self[name].called
            for process in service.processes:
                if foreign := set(service.calls_of(process)) - set(service.calls):
                    raise ValueError(f"{process.name} calls {', '.join(sorted(foreign))}, which {service.name} does not")
        for engine in fronted:
            for name in engine.pulled_by:
                if not any(process.engine for process in self[name].processes):
                    raise ValueError(f"{engine.name} is pulled by {name}, which has no engine")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.services)

    @property
    def processes(self) -> tuple[Process, ...]:
        return tuple(process for service in self.services for process in service.processes)

    @property
    def specialists(self) -> tuple[Specialist, ...]:
        return tuple(each for process in self.processes for each in process.specialists)

    @property
    def engines(self) -> tuple[Engine, ...]:
        return tuple(process.engine for process in self.processes if process.engine)

    def pulls_from(self, service: str) -> str:
        """The service whose engines those of another pull from; empty when they pull from nobody."""
        found = (
            each.name for each in self.services for process in each.processes if process.engine and service in process.engine.pulled_by
        )
        return next(found, "")

    @property
    def producers(self) -> dict[str, str]:
        """The service that may sign the batches of a producer, by the producer's prefix."""
        return {prefix: service.name for service in self.services for prefix in service.producers}

    def __getitem__(self, name: str) -> Service:
        """A service by name. Raises ValueError: what names an absent service is a mistake in the file."""
        for service in self.services:
            if service.name == name:
                return service
        raise ValueError(f"there is no service {name}")


@cache
def load(file: Path = FILE) -> ServiceTable:
    """The table. Raises InvalidDocument that names file and place."""
    return read(file, ServiceTable)
