"""Settings of risk-scoring: what both processes read, and what each has of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from meshkit.config import KafkaSettings, KeySettings, Milliseconds, ProducerKeys, RedisSettings, ServiceConfig, TritonSettings
from pydantic import Field, model_validator

_RULES = Path(__file__).resolve().parent.parent / "rules"


class IdKeys(KeySettings):
    """What finds an entity again."""

    ids: Path | None = Field(default=None, description="keys of entities, ids and fingerprints; the same for ever, read once")


class DecisionKeys(IdKeys, ProducerKeys):
    """What a decision needs."""

    commitment: Path | None = Field(default=None, description="key ring of commitments in audit records")


class StreamKeys(DecisionKeys):
    """The stream seals dead letters as well."""

    seal: Path | None = Field(default=None, description="key ring that seals dead letters")


class StoreConfig(ServiceConfig):
    """What reaches the feature store: all that the import of history needs."""

    kafka: KafkaSettings = KafkaSettings()
    keys: IdKeys = IdKeys()
    redis: RedisSettings = RedisSettings()
    redis_prefix: str = Field(default="finmesh:", description="prepended to every Redis key: one for each environment or test")
    rates: Path = Field(default=_RULES / "rates.yaml", description="currency rates with their version")
    dedupe_horizon_s: Annotated[int, Field(ge=60, le=30 * 86_400)] = Field(
        default=86_400, description="how long a decision is remembered in Redis; older events are refused as TOO_OLD"
    )
    compact_decisions: bool = Field(
        default=False,
        description="keep old decisions by where their records stand (rule D25); only when no process of the release before runs any more",
    )
    compact_after_s: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=600, description="how old a decision is when its record's place replaces its bytes; less than the dedupe horizon"
    )

    @model_validator(mode="after")
    def _compacted_in_time(self) -> Self:
        if self.compact_decisions and self.compact_after_s >= self.dedupe_horizon_s:
            raise ValueError("compact_after_s must be less than dedupe_horizon_s")
        return self

    @property
    def by_place_s(self) -> float | None:
        """How long decisions are kept by their place, None where they aren't."""
        return self.dedupe_horizon_s if self.compact_decisions else None


class RiskScoringConfig(StoreConfig):
    """Both processes."""

    listen: str = Field(default="127.0.0.1:50061", description="host:port of the gRPC server")
    keys: DecisionKeys = DecisionKeys()
    triton: TritonSettings = TritonSettings()
    model_repository: Path = Field(
        default=Path("models/repository"), description="folder of Triton's model repository, for the in-process fallback"
    )
    model_version: str = Field(default="", description="version of the fraud model; empty: the highest")
    rules: Path = Field(default=_RULES / "anti-fraud.json", description="rule set in force (JDM)")
    shadow_rules: Path | None = Field(default=None, description="rule set on trial (JDM): evaluated and counted, decides nothing")
    channels: Path = Field(default=_RULES / "channels.yaml", description="channel modes, thresholds, decline cap")
    callers: tuple[str, ...] = Field(default=("gateway",), description="workloads that may call the RPCs")
    decision_reads_per_s: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="fetches from the decision topic for decisions that are kept by their place, at most (rule D25)"
    )


class StreamConfig(RiskScoringConfig):
    """The stream process."""

    keys: StreamKeys = StreamKeys()
    stream_max_batch: Annotated[int, Field(ge=1, le=2_000)] = Field(default=512, description="records decided together at most (rule D21)")
    stream_linger_ms: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=4, description="how long a partition without a backlog waits between two batches, for fewer transactions"
    )
    stream_busy_linger_ms: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=24, description="how long it waits at most, a quarter of a millisecond for each record of its last batch"
    )


class RpcConfig(RiskScoringConfig):
    """The RPC process."""

    coalesce_max: Annotated[int, Field(ge=1, le=512)] = Field(default=64, description="synchronous calls decided together at most")
    sync_store_timeout_ms: Milliseconds = Field(
        default=60, description="one call to Redis on the synchronous path; past it rule D22 applies"
    )
    outage_after_ms: Milliseconds = Field(
        default=200, description="Redis unreachable for this long: synchronous calls are decided without it (rule D22)"
    )
    outage_lookback_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=900.0, description="how far back the decision topic is searched for a decision while Redis is down (rule D22)"
    )
