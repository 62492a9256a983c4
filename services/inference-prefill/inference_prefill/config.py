"""Settings of inference-prefill."""

from __future__ import annotations

from pathlib import Path

from backends.settings import EngineSettings, FrontedKeys, HealthSettings
from meshkit.config import KafkaSettings, ServiceConfig
from pydantic import Field

SERVICE = "inference-prefill"
MODEL = "llm_prefill"


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
