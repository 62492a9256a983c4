"""Settings of inference-decode."""

from __future__ import annotations

from pathlib import Path

from backends.settings import EngineSettings, FrontedKeys, HealthSettings
from meshkit.config import KafkaSettings, Milliseconds, ServiceConfig
from pydantic import Field

SERVICE = "inference-decode"
MODEL = "llm_decode"


class Config(ServiceConfig):
    """All settings."""

    callers: frozenset[str] = Field(default=frozenset({"router"}), description="workloads that may call, a JSON list")
    engines: tuple[EngineSettings, ...] = Field(
        default=(), description='engines that this process fronts, a JSON list of {"url": "127.0.0.1:18011", "pid_file": "/path"}'
    )
    accelerators: Path | None = Field(
        default=None, description="accelerators.yaml: engines of any kind, a row each; this process fronts those of its roles"
    )
    models: tuple[Path, ...] = Field(
        default=(),
        description="folders of the models that are served: `known_answers.json` of each finds engines that answer wrong, a JSON list",
    )
    health: HealthSettings = HealthSettings()
    keys: FrontedKeys = FrontedKeys()
    kafka: KafkaSettings = KafkaSettings()
    most_queued: int = Field(default=64, ge=1, le=10_000, description="requests that may wait at one engine; more are refused")
    buffer_tokens: int = Field(
        default=512, ge=1, le=100_000, description="tokens that wait for a slow reader; more, and its answer is ended"
    )
    hold_ms: Milliseconds = Field(default=20, description="how long tokens behind the first may gather before they are sent")
