"""Where an engine is. Of the same host or pod as whoever fronts it: nothing else is taken."""

from __future__ import annotations

from pathlib import Path

from meshkit.addresses import grpc_hosts, is_local
from pydantic import BaseModel, ConfigDict, Field, field_validator


class EngineSettings(BaseModel):
    """One engine of this host or pod."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(min_length=1, description="host:port of its Triton's gRPC endpoint, on loopback")
    pid_file: Path | None = Field(default=None, description="file with the pid of its tritonserver, which is killed when the engine hangs")

    @field_validator("url")
    @classmethod
    def _is_near(cls, url: str) -> str:
        if not all(is_local(host) for host in grpc_hosts(url)):
            raise ValueError("an engine is on the host, or in the pod, of the process that fronts it")
        return url
