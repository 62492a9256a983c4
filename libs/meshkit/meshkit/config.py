"""Settings that several services share, read from the environment once, at start.

Every service subclasses ``ServiceConfig`` in its own ``config.py`` and names there the groups that it uses: a process is not handed the
password of what it doesn't talk to. Names: prefix ``FINMESH_``, nested by ``__`` (``FINMESH_KAFKA__BOOTSTRAP_SERVERS``). Wrong types and
unknown names inside a group are refused, unknown names at the top are warned of (`meshkit.service.load_config`); units stand in the names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0, le=86_400 * 400)]
Milliseconds = Annotated[int, Field(gt=0, le=600_000)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Group):
    """The event log."""

    bootstrap_servers: str = Field(default="127.0.0.1:19092", description="host:port of one or more brokers, comma separated")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how brokers are spoken to; anything but loopback or a pod network wants SSL"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(default="SCRAM-SHA-512", description="for SASL_*")
    sasl_username: str = Field(default="", description="for SASL_*")
    sasl_password: SecretStr = Field(default=SecretStr(""), description="for SASL_*")
    authority: Path | None = Field(default=None, description="PEM of the authority that signs brokers; none: the system's")
    topic_prefix: str = Field(default="", description="prepended to every topic, group and transactional id: one per environment or test")
    transaction_timeout_ms: Milliseconds = Field(
        default=10_000, description="a process that dies inside a transaction pins readers this long at most"
    )
    request_timeout_ms: Milliseconds = Field(default=15_000, description="one request to a broker")


class RedisSettings(_Group):
    """The feature store."""

    url: str = Field(default="redis://127.0.0.1:16379/0", description="redis:// or rediss:// URL of the primary")
    timeout_ms: Milliseconds = Field(
        default=2_000, description="one call; a synchronous request uses what is left of its deadline when that is less"
    )
    check_durability: bool = Field(default=True, description="refuse to start on a Redis with eviction or without append-only file")


class TritonSettings(_Group):
    """Models behind Triton Inference Server."""

    url: str = Field(default="127.0.0.1:18001", description="host:port of Triton's gRPC endpoint")
    timeout_ms: Milliseconds = Field(default=500, description="one inference; past it the declared fallback answers")


class TlsSettings(_Group):
    """Mutual TLS of one workload. All three or none; without them only loopback is served, in clear text."""

    certificate: Path | None = Field(default=None, description="PEM chain of this workload; its SPIFFE URI SAN is the identity")
    key: Path | None = Field(default=None, description="PEM private key")
    authority: Path | None = Field(default=None, description="PEM of the authority that signs peers")


class KeySettings(_Group):
    """Files of keys, one a purpose (`finmesh keys`). A service adds those of its purposes; one that is not set means development keys."""

    reload_s: Seconds = Field(default=2.0, description="how often the key files are read again")


class ProducerKeys(KeySettings):
    """What whoever sends audit batches holds."""

    audit_batch: Path | None = Field(default=None, description="key ring that signs this workload's audit batches")


class ServiceConfig(BaseSettings):
    """What every process needs."""

    model_config = SettingsConfigDict(
        env_prefix="FINMESH_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        frozen=True,
        extra="ignore",
    )

    listen: str = Field(default="127.0.0.1:0", description="host:port of the gRPC server")
    build: str = Field(
        default="development",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$",
        description="version and commit of the running code, which every audit record states; an image sets it",
    )
    metrics_listen: str = Field(default="", description="host:port of the Prometheus endpoint; empty: none")
    shutdown_grace_s: Seconds = Field(default=5.0, description="how long running calls may finish after SIGTERM")
    connection_age_s: Seconds = Field(
        default=300.0, description="a connection lives this long, give or take a tenth; clients then find new instances and certificates"
    )
    tls: TlsSettings = TlsSettings()
