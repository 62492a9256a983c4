"""Every port of the mesh, loopback only. Defaults are for a person at a keyboard; tests draw free ones.

Each can be set by `FINMESH_PORT_<FIELD>`, e.g. `FINMESH_PORT_KAFKA=29092`.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports, all different."""

    kafka: int = 19092
    kafka_controller: int = 19093
    redis: int = 16379
    triton_http: int = 18000
    triton_grpc: int = 18001
    triton_metrics: int = 18002
    zipkin: int = 9411
    gateway: int = 8443
    gateway_metrics: int = 9464
    risk_rpc: int = 50061
    risk_rpc_metrics: int = 9465
    risk_stream: int = 50062
    risk_stream_metrics: int = 9466
    audit: int = 50071
    audit_metrics: int = 9467

    def __post_init__(self) -> None:
        values = [getattr(self, f.name) for f in fields(self)]
        if len(set(values)) != len(values):
            raise ValueError(f"two parts of the mesh share a port: {sorted(values)}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Ports":
        """Defaults overridden by FINMESH_PORT_*; ValueError when one is no number or taken twice."""
        chosen = {f.name: f"FINMESH_PORT_{f.name.upper()}" for f in fields(cls)}
        return cls(**{name: int(environment[key]) for name, key in chosen.items() if key in environment})

    @classmethod
    def free(cls) -> "Ports":
        """Ports nobody listens on now, drawn together so that they differ."""
        names = [f.name for f in fields(cls)]
        return cls(**dict(zip(names, free_ports(len(names)), strict=True)))


def free_ports(count: int) -> list[int]:
    """`count` different loopback ports that were free a moment ago."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind((LOOPBACK, 0))
        return [s.getsockname()[1] for s in sockets]
