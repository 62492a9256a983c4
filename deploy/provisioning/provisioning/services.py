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
Dependency = Literal["kafka", "redis", "triton", "database", "tokens"]
Purpose = Literal["ids", "commitment", "seal", "principals", "signing", "verifying", "log"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProcessPorts(_Entry):
    """Where a process listens, unless it is told otherwise."""

    grpc: int = Field(ge=1, le=65_535)
    metrics: int = Field(ge=1, le=65_535)


class Process(_Entry):
    """`name`: its row in the local mesh. `workload`: its Deployment or StatefulSet. `called`: other services reach their RPCs here.

    `keys`: what its keys are for; "signing" its own audit batches, "verifying" everybody's.
    """

    name: str = Field(pattern=NAME)
    workload: str = Field(pattern=NAME)
    module: str = Field(pattern=r"^[a-z_]+(\.[a-z_]+)*$")
    ports: ProcessPorts
    uses: tuple[Dependency, ...]
    keys: tuple[Purpose, ...] = ()
    called: bool = False


class Service(_Entry):
    """`name`: its folder, its identity and that of its certificate. `producers`: how the producers of its audit batches begin."""

    name: str = Field(pattern=NAME)
    package: str = Field(pattern=r"^[a-z_]+$")
    description: str
    callers: tuple[str, ...]
    calls: tuple[str, ...] = ()
    producers: tuple[Annotated[str, Field(pattern=r"^[!-~]{1,127}/$")], ...] = ()
    processes: tuple[Process, ...] = Field(min_length=1)

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
        ports = [port for process in self.processes for port in (process.ports.grpc, process.ports.metrics)]
        prefixes = [prefix for service in self.services for prefix in service.producers]
        names = [process.name for process in self.processes]
        for kind, values in (("service", self.names), ("process", names), ("port", ports), ("producer", prefixes)):
            twice = {value for value in values if list(values).count(value) > 1}
            if twice:
                raise ValueError(f"{kind} {', '.join(map(str, sorted(twice)))} stands there twice")
        for service in self.services:
            for name in service.calls:
                if service.name not in self[name].callers:
                    raise ValueError(f"{service.name} calls {name}, which does not name it among its callers")
                _ = self[name].called
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.services)

    @property
    def processes(self) -> tuple[Process, ...]:
        return tuple(process for service in self.services for process in service.processes)

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
