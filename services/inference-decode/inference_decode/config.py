"""Settings of inference-decode."""

from __future__ import annotations

from pathlib import Path

from meshkit.addresses import grpc_hosts, is_local
from meshkit.config import ServiceConfig
from pydantic import BaseModel, ConfigDict, Field, field_validator

SERVICE = "inference-decode"


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


class Config(ServiceConfig):
    """All settings."""

    callers: frozenset[str] = Field(default=frozenset({"router"}), description="workloads that may call, a JSON list")
    engines: tuple[EngineSettings, ...] = Field(
        default=(), description='engines that this process fronts, a JSON list of {"url": "127.0.0.1:18011", "pid_file": "/path"}'
    )
