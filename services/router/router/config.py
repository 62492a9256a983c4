"""Settings of the router."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Self

from meshkit.config import KafkaSettings, Milliseconds, ProducerKeys, RedisSettings, ServiceConfig
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from router.domain.cost import Weights
from router.domain.evidence import EvidenceTiming
from router.domain.prompt import PromptLimits

SERVICE = "router"


class TextSettings(BaseModel):
    """Prompts before they are tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_prompt_bytes: int = Field(default=1 << 20, ge=1, le=64 << 20, description="longest text of a prompt, and longest rendered template")
    max_messages: int = Field(default=512, ge=1, le=100_000, description="most messages of a conversation")

    def limits(self) -> PromptLimits:
        """Return them for the domain."""
        return PromptLimits(self.max_prompt_bytes, self.max_messages)


class EvidenceSettings(BaseModel):
    """Records of generations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lease_s: float = Field(
        default=30.0, ge=0.05, le=3_600, description="a generation whose router is silent this long is closed by another"
    )
    heartbeat_s: float = Field(
        default=5.0, ge=0.01, le=600, description="how often a router says which generations it has; below a third of the lease"
    )
    sweep_s: float = Field(default=5.0, ge=0.01, le=600, description="how often generations of silent routers are looked for")
    end_s: float = Field(default=5.0, ge=0.05, le=600, description="how long the record of an end is tried before the caller gets an error")

    @model_validator(mode="after")
    def _beats(self) -> Self:
        if self.heartbeat_s * 3 > self.lease_s:
            raise ValueError("heartbeat_s is at most a third of lease_s")
        return self

    def timing(self) -> EvidenceTiming:
        """Return them for the steps."""
        return EvidenceTiming(self.lease_s, self.heartbeat_s, self.sweep_s, self.end_s)


class RoutingSettings(BaseModel):
    """Whom a request goes to, and how long it waits for whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight_prefill: float = Field(default=1.0, gt=0, le=1000, description="cost of a block of the prompt that is not cached, in blocks")
    weight_queue: float = Field(default=4.0, ge=0, le=1000, description="cost of a request that waits at a worker, in blocks")
    affinity_blocks: float = Field(
        default=32.0, ge=0, description="a cached prefix counts for nothing when its holders' loads differ by more blocks than this"
    )
    affinity_ratio: float = Field(default=1.5, ge=1, le=1000, description="and by more than this ratio")
    queue_limit: int = Field(default=256, ge=1, le=100_000, description="requests that wait for one model at most")
    prefill_waiting: int = Field(default=32, ge=0, le=10_000, description="requests that may wait at one prefill worker")
    reserve_ms: Milliseconds = Field(default=2_000, description="one answer of a decode worker about room")
    prefill_ms: Milliseconds = Field(default=60_000, description="reading one prompt, waiting at the worker included")
    commit_ms: Milliseconds = Field(default=15_000, description="from a ticket to a running row")
    silence_ms: Milliseconds = Field(default=8_000, description="a decode worker that sends no token for this long has failed")
    patience_ms: Milliseconds = Field(default=3_000, description="how long a worker that is away is waited for, when there is no other")
    breaker_ms: Milliseconds = Field(default=2_000, description="how long a worker that failed three times in a row gets nothing")

    def weights(self) -> Weights:
        """Return them for the domain."""
        return Weights(self.weight_prefill, self.weight_queue, self.affinity_blocks, self.affinity_ratio)


class RouterKeys(ProducerKeys):
    """What it signs records with, what keeps text out of them, and what keeps tenants apart in the engines' memory."""

    commitment: Path | None = Field(default=None, description="key ring of commitments to prompts and answers")
    namespaces: Path | None = Field(default=None, description="key ring of the namespaces of key-value blocks")


class Config(ServiceConfig):
    """All settings."""

    callers: frozenset[str] = Field(default=frozenset({"gateway"}), description="workloads that may call, a JSON list")
    upstream: dict[str, str] = Field(
        default={},
        description="gRPC target of inference-prefill and inference-decode, each address of which is an instance: "
        "`FINMESH_UPSTREAM__INFERENCE_DECODE=host:port`, or a list `ipv4:a:1,b:2`",
    )
    models: tuple[Path, ...] = Field(
        default=(), description="folders of the models that are served: manifest, tokenizer and chat template, a JSON list"
    )
    text: TextSettings = TextSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    scenarios: Path = Field(
        default_factory=lambda: Path(str(files("router") / "scenarios.yaml")),
        description="scenarios: models, bounds, priority, policy of the hand-off; read again when it changes",
    )
    routing: RoutingSettings = RoutingSettings()
    redis: RedisSettings = RedisSettings()
    redis_prefix: str = Field(
        default="finmesh:router:",
        description="prepended to every Redis key: one for each environment or test; routers of one prefix end one another's generations",
    )
    kafka: KafkaSettings = KafkaSettings()
    keys: RouterKeys = RouterKeys()

    @field_validator("upstream")
    @classmethod
    def _named_as_services(cls, targets: dict[str, str]) -> dict[str, str]:
        return {name.lower().replace("_", "-"): target for name, target in targets.items()}
