"""Where an engine is (of the same host or pod as whoever fronts it: nothing else is taken), and when it counts as sick."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from meshkit.addresses import grpc_hosts, is_local
from meshkit.config import KeySettings, Milliseconds
from pydantic import BaseModel, ConfigDict, Field, field_validator

from backends.health.pace import Bounds


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


class HealthSettings(BaseModel):
    """When an engine counts as slow or wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    probe_s: float = Field(
        default=4.5, ge=0, le=60, description="between two known questions to an engine that is well, on average; 0: none is asked"
    )
    slow_factor: float = Field(default=5.0, ge=1.5, le=100, description="so many times its usual, or its peers', and an engine is slow")
    slow_floor_ms: Milliseconds = Field(
        default=250, description="an engine that takes less for a token, or for reading a known prompt, is never slow"
    )

    def bounds(self) -> Bounds:
        """Return them for the domain."""
        return Bounds(self.slow_factor, self.slow_floor_ms / 1000)


class FrontedKeys(KeySettings):
    """What a process holds that fronts engines: nothing, unless a row is vLLM with prompts and answers apart."""

    may_be_absent: ClassVar[frozenset[str]] = frozenset({"tickets"})

    tickets: Path | None = Field(
        default=None, description="key ring of tickets around vLLM's; only for a process that has such a row, and refused without one"
    )
