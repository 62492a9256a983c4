"""Settings of the audit service: ``FINMESH_AUDIT__...`` beside those that all services share."""

from pathlib import Path
from typing import Annotated, ClassVar

from meshkit.config import KafkaSettings, KeySettings, Milliseconds, Seconds, ServiceConfig
from pydantic import BaseModel, ConfigDict, Field, SecretStr

SERVICE = "audit"


class AuditSettings(BaseModel):
    """The log and how it is fed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/audit/audit.db"),
        description="sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host/name",
    )
    origin: str = Field(
        default="finmesh.local/audit", min_length=1, max_length=200, description="name of the log and of its key; a schema-less URL"
    )
    signing_key: SecretStr = Field(
        default=SecretStr(""),
        description="signer key text (PRIVATE+KEY+...) whose name is the origin; empty: see signing_key_file",
    )
    signing_key_file: Path | None = Field(
        default=None, description="file of the signer key text; without it and without signing_key: a development key"
    )
    require_signature: bool = Field(default=True, description="batches without a valid producer signature become poison")
    producers: dict[Annotated[str, Field(pattern=r"^[!-~]{1,127}/$")], str] = Field(
        default={}, description="workload by prefix of the producer, a JSON map: who may sign whose batches"
    )
    pinned_checkpoint: Path | None = Field(
        default=None,
        description="signed checkpoint that the log must contain, or the service refuses to start; kept where its operator cannot write",
    )
    keep_checkpoint: Path | None = Field(
        default=None,
        description="file on another disk with the newest checkpoint, made before the first leaf; checked at start like a pinned one",
    )
    keep_interval_s: Seconds = Field(default=10.0, description="how often keep_checkpoint is written at most")
    flush_records: int = Field(default=500, ge=1, le=10_000, description="messages in one transaction at most")
    flush_bytes: int = Field(default=1024 * 1024, ge=1, le=16 * 1024 * 1024, description="bytes after which a transaction starts")
    flush_delay_ms: Milliseconds = Field(default=300, description="how long the first message of a transaction waits for others")


class AuditKeys(KeySettings):
    """The log's own purposes, and the rings that producers sign with."""

    may_be_absent: ClassVar[frozenset[str]] = frozenset({"audit_batch_shared"})

    seal: Path | None = Field(default=None, description="key ring that seals quarantine")
    commitment: Path | None = Field(default=None, description="key ring of commitments to what waits in quarantine")
    audit_batch: dict[str, Path] = Field(
        default={}, description="key ring of each workload that sends audit batches, a JSON map; empty: development keys"
    )
    audit_batch_shared: Path | None = Field(
        default=None, description="key ring that all producers shared once: accepted as long as it is named and not empty"
    )


class Config(ServiceConfig):
    """All settings."""

    callers: frozenset[str] = Field(default=frozenset({"gateway"}), description="workloads that may read, a JSON list")
    kafka: KafkaSettings = KafkaSettings()
    keys: AuditKeys = AuditKeys()
    audit: AuditSettings = AuditSettings()
