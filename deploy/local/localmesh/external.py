"""Parts that already run elsewhere: one setting each, and the row of that part disappears from the table.

| setting | value | replaces |
|---|---|---|
| FINMESH_EXTERNAL_KAFKA | host:port[,host:port] | kafka (topics are still provisioned there) |
| FINMESH_EXTERNAL_REDIS | redis://host:port/db | redis |
| FINMESH_EXTERNAL_TRITON | host:port (gRPC) | triton |
| FINMESH_EXTERNAL_MILVUS | http://host:port, https:// for another host | milvus |
| FINMESH_EXTERNAL_TRITON_PREFILL | host:port (gRPC) on loopback | triton-prefill |
| FINMESH_EXTERNAL_TRITON_DECODE | host:port (gRPC) on loopback | triton-decode |
| FINMESH_EXTERNAL_TRITON_ENCODER | host:port (gRPC) | triton-encoder |
| FINMESH_EXTERNAL_OTLP | http://host:4317 | zipkin: spans go out as OTLP over gRPC |
| FINMESH_EXTERNAL_DATABASE | postgresql://user@host/name | the audit service's SQLite file |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class External:
    """Addresses of servers that are used instead of local ones; None means: start our own."""

    kafka: str | None = None
    redis: str | None = None
    triton: str | None = None
    milvus: str | None = None
    triton_prefill: str | None = None
    triton_decode: str | None = None
    triton_encoder: str | None = None
    otlp: str | None = None
    database: str | None = None

    def engine(self, name: str) -> str | None:
        """Where an engine runs already, by its name in deploy/services.yaml."""
        address: str | None = getattr(self, name.replace("-", "_"), None)
        return address

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "External":
        """Reads FINMESH_EXTERNAL_*; an empty value counts as not set."""
        return cls(**{f.name: environment.get(f"FINMESH_EXTERNAL_{f.name.upper()}") or None for f in fields(cls)})


NOTHING_EXTERNAL = External()
