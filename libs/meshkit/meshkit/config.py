"""Settings that several services share, read from the environment once, at start.

Every service subclasses ``ServiceConfig`` in its own ``config.py`` and names there the groups that it uses: a process is not handed the
password of what it doesn't talk to. Names: prefix ``FINMESH_``, nested by ``__`` (``FINMESH_KAFKA__BOOTSTRAP_SERVERS``). Wrong types and
unknown names inside a group are refused, unknown names at the top are warned of (`meshkit.service.load_config`); units stand in the names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0, le=86_400 * 400)]
Milliseconds = Annotated[int, Field(gt=0, le=600_000)]
_Checked = TypeVar("_Checked")
Link = Literal["grpc", "kafka", "redis", "triton", "database", "milvus"]


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Group):
    """The event log."""

    bootstrap_servers: str = Field(default="127.0.0.1:19092", description="host:port of one or more brokers, comma separated")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how brokers are spoken to; other hosts need SSL or SASL_SSL"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(default="SCRAM-SHA-512", description="for SASL_*")
    sasl_username: str = Field(default="", description="for SASL_*")
    sasl_password: SecretStr = Field(default=SecretStr(""), description="for SASL_*")
    authority: Path | None = Field(default=None, description="PEM of the authority that signs brokers; none: the system's")
    certificate: Path | None = Field(default=None, description="PEM chain to show to brokers; read again at each connection")
    key: Path | None = Field(default=None, description="PEM private key of the certificate")
    topic_prefix: str = Field(default="", description="prepended to every topic, group and transactional id: one per environment or test")
    transaction_timeout_ms: Milliseconds = Field(
        default=10_000, description="a process that dies inside a transaction pins readers this long at most"
    )
    request_timeout_ms: Milliseconds = Field(default=15_000, description="one request to a broker")

    @model_validator(mode="after")
    def _protected(self) -> Self:
        return _with_tls(self, self.security_protocol.endswith("SSL"), self.authority, self.certificate, self.key)


class RedisSettings(_Group):
    """The feature store."""

    url: str = Field(
        default="redis://127.0.0.1:16379/0", description="redis:// or rediss:// URL of the primary; other hosts need rediss://"
    )
    timeout_ms: Milliseconds = Field(
        default=2_000, description="one call; a synchronous request uses what is left of its deadline when that is less"
    )
    check_durability: bool = Field(default=True, description="refuse to start on a Redis with eviction or without append-only file")


class TritonSettings(_Group):
    """Models behind Triton Inference Server."""

    url: str = Field(default="127.0.0.1:18001", description="host:port of Triton's gRPC endpoint")
    timeout_ms: Milliseconds = Field(default=500, description="one inference; past it the declared fallback answers")
    tls: bool = Field(default=False, description="speak TLS; other hosts need it")
    authority: Path | None = Field(default=None, description="PEM of the authority that signs Triton's certificate; none: gRPC's own list")
    certificate: Path | None = Field(default=None, description="PEM chain to show to Triton; read again when it changes")
    key: Path | None = Field(default=None, description="PEM private key of the certificate")

    @model_validator(mode="after")
    def _protected(self) -> Self:
        return _with_tls(self, self.tls, self.authority, self.certificate, self.key)


class MilvusSettings(_Group):
    """Vectors in Milvus or Milvus Lite."""

    uri: str = Field(
        default="http://127.0.0.1:19530", description="http:// or https:// of Milvus or Milvus Lite; other hosts need https://"
    )
    token: SecretStr = Field(default=SecretStr(""), description="user:password of a Milvus server; Milvus Lite has none")
    timeout_ms: Milliseconds = Field(default=5_000, description="one call; a search waits a fifth of it at most")
    prefix: str = Field(default="finmesh", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,60}$", description="prepended to every collection")


def _with_tls(group: _Checked, tls: bool, authority: Path | None, certificate: Path | None, key: Path | None) -> _Checked:
    """Refuse files that would not be used, and half a pair."""
    if (certificate is None) != (key is None):
        raise ValueError("certificate and key: both or none")
    if not tls and (authority or certificate):
        raise ValueError("authority and certificate are for TLS, which is off")
    return group


class TlsSettings(_Group):
    """Mutual TLS of one workload. All three or none; without them only loopback is served, in clear text."""

    certificate: Path | None = Field(default=None, description="PEM chain of this workload; its SPIFFE URI SAN is the identity")
    key: Path | None = Field(default=None, description="PEM private key")
    authority: Path | None = Field(default=None, description="PEM of the authority that signs peers")


class KeySettings(_Group):
    """Files of keys, one a purpose (`finmesh keys`). A service adds those of its purposes; one that is not set means development keys."""

    not_files: ClassVar[frozenset[str]] = frozenset({"reload_s"})
    may_be_absent: ClassVar[frozenset[str]] = frozenset()  # files whose absence means no key, and not a development key

    reload_s: Seconds = Field(default=2.0, description="how often the key files are read again")


class ProducerKeys(KeySettings):
    """What whoever sends audit batches holds."""

    audit_batch: Path | None = Field(default=None, description="key ring that signs this workload's audit batches")


class Environment(BaseSettings):
    """What everything that reads settings has, tools too."""

    model_config = SettingsConfigDict(
        env_prefix="FINMESH_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        frozen=True,
        extra="ignore",
    )

    allow_clear_text: Annotated[frozenset[Link], NoDecode, BeforeValidator(_listed)] = Field(
        default=frozenset(),
        description="links to other hosts that may be in clear text because a service mesh protects them, comma separated",
    )
    allow_development_keys: bool = Field(
        default=False, description="accept keys that everybody knows outside of loopback, to try things on"
    )


class KafkaToolConfig(Environment):
    """What a tool needs that reaches the brokers and serves nobody."""

    kafka: KafkaSettings = KafkaSettings()


class ServiceConfig(Environment):
    """What every process needs."""

    listen: str = Field(default="127.0.0.1:0", description="host:port of the gRPC server")
    build: str = Field(
        default="development",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$",
        description="version and commit of the running code, which every audit record states; an image sets it",
    )
    metrics_listen: str = Field(default="", description="host:port of the Prometheus endpoint; empty: none")
    shutdown_grace_s: Seconds = Field(default=5.0, description="how long running calls may finish after SIGTERM")
    connection_age_s: float = Field(
        default=300.0,
        ge=0.1,
        le=86_400,
        description="a connection lives this long, give or take a tenth; clients then find new instances and certificates",
    )
    tls: TlsSettings = TlsSettings()
