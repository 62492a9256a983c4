"""Every port of the mesh, loopback only. Defaults are for a person at a keyboard; tests draw free ones.

Servers that are not ours have a field each; the ports of our services are those of deploy/services.yaml, under `risk_rpc` and
`risk_rpc_metrics` for the process risk-rpc, `gateway_http` where one has an HTTP door, and those of engines under
`triton_prefill_grpc` and so on. Each can be set by `FINMESH_PORT_<NAME>`, e.g. `FINMESH_PORT_KAFKA=29092`. The second instance of a process
has the ports of `risk-rpc-2`, drawn freely.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields

from provisioning import services

LOOPBACK = "127.0.0.1"
_OWN = "own"


def _default_own() -> dict[str, int]:
    found: dict[str, int] = {}
    for process in services.load().processes:
        found |= {_of_process(process.name, use): port for use, port in process.ports.by_use().items()}
        for engine in process.fronted:
            found |= {_name(engine.name, f"_{use}"): port for use, port in engine.ports.by_use().items()}
    return found


def instance(process: str, number: int) -> str:
    """Name of one instance of a process or engine, counted from 1: gateway, gateway-2, gateway-3."""
    return process if number == 1 else f"{process}-{number}"


def _name(process: str, use: str = "") -> str:
    return process.replace("-", "_") + use


def _of_process(process: str, use: str) -> str:
    return _name(process) if use == "grpc" else _name(process, f"_{use}")


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports, all different."""

    kafka: int = 19092
    kafka_controller: int = 19093
    redis: int = 16379
    triton_http: int = 18000
    triton_grpc: int = 18001
    triton_metrics: int = 18002
    triton_encoder_http: int = 18030
    triton_encoder_grpc: int = 18031
    triton_encoder_metrics: int = 18032
    zipkin: int = 9411
    milvus: int = 19530
    own: Mapping[str, int] = field(default_factory=_default_own)

    def __post_init__(self) -> None:
        values = list(self.by_name().values())
        if len(set(values)) != len(values):
            raise ValueError(f"two parts of the mesh share a port: {sorted(values)}")

    def by_name(self) -> dict[str, int]:
        """Every port by its name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != _OWN} | dict(self.own)

    def grpc(self, process: str) -> int:
        """Where a process of ours answers RPCs. KeyError when there is none of that name."""
        return self.own[_name(process)]

    def process(self, name: str) -> dict[str, int]:
        """Ports of a process of ours by use: grpc, metrics and perhaps http. KeyError when there is none of that name."""
        found = {use: self.own[_of_process(name, use)] for use in ("grpc", "http", "metrics") if _of_process(name, use) in self.own}
        if "grpc" not in found:
            raise KeyError(name)
        return found

    def engine(self, name: str) -> dict[str, int]:
        """Ports of an engine by use: http, grpc, metrics and, where others pull from it, kv. KeyError when there is none of that name."""
        begins = _name(name, "_")
        found = {use: self.own[begins + use] for use in ("http", "grpc", "metrics", "kv") if begins + use in self.own}
        if not found:
            raise KeyError(name)
        return found

    def with_copies(self, copies: Mapping[str, int]) -> "Ports":
        """These, and free ones for the second and later instances of the named processes and of the engines that they front."""
        names: list[str] = []
        for process in services.load().processes:
            for number in range(2, copies.get(process.name, 1) + 1):
                own = instance(process.name, number)
                names += [_of_process(own, use) for use in process.ports.by_use()]
                for engine in process.fronted:
                    names += [_name(instance(engine.name, number), f"_{use}") for use in engine.ports.by_use()]
        missing = [name for name in names if name not in self.own]
        return Ports.of(self.by_name() | _drawn(missing, set(self.by_name().values())))

    @classmethod
    def of(cls, values: Mapping[str, int]) -> "Ports":
        """Ports from names and numbers; ValueError when one is taken twice."""
        foreign = {f.name for f in fields(cls)}
        return cls(
            **{name: port for name, port in values.items() if name in foreign},
            own={name: port for name, port in values.items() if name not in foreign},
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Ports":
        """Defaults overridden by FINMESH_PORT_*; ValueError when one is no number or taken twice."""
        usual = cls().by_name()
        return cls.of({name: int(environment.get(f"FINMESH_PORT_{name.upper()}", port)) for name, port in usual.items()})

    @classmethod
    def free(cls) -> "Ports":
        """Ports nobody listens on now, drawn together so that they differ, and none of the usual mesh, which may start later."""
        usual = cls().by_name()
        return cls.of(_drawn(list(usual), set(usual.values())))


def _drawn(names: list[str], taken: set[int]) -> dict[str, int]:
    """A free port for each name, and none that is taken: the usual ones lie where the system draws from."""
    free = [port for port in free_ports(len(names) + len(taken)) if port not in taken]
    return dict(zip(names, free, strict=False))


def free_ports(count: int) -> list[int]:
    """`count` different loopback ports that were free a moment ago."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind((LOOPBACK, 0))
        return [s.getsockname()[1] for s in sockets]
