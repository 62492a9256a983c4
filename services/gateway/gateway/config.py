"""Settings of the gateway."""

from __future__ import annotations

from datetime import UTC, tzinfo
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meshkit.config import KafkaSettings, ProducerKeys, RedisSettings, Seconds, ServiceConfig
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.domain.route import QuotaClass
from gateway.domain.token_bucket import Rate
from gateway.domain.token_limits import MOST_TOKENS
from gateway.domain.token_shares import Scope
from gateway.domain.token_windows import Calendar

PerSecond = Annotated[float, Field(gt=0, le=1_000_000)]
TokenNumber = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


def zone(name: str) -> tzinfo:
    """Return a time zone of the IANA's data base, which the machine has. Raises ValueError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError("no time zone that this machine knows, as Asia/Shanghai is one") from None


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AuthSettings(_Group):
    """Tokens and policies."""

    jwks: Path = Field(default=Path("var/certs/jwks.json"), description="key set file of the token issuer; read again when it changes")
    issuer: str = Field(default="https://issuer.finmesh.local", min_length=1, description="the only accepted iss")
    audience: str = Field(default="finmesh", min_length=1, description="the only accepted aud")
    maximum_ttl_s: Seconds = Field(default=43_200, description="longest accepted life of a token, exp - iat")
    leeway_s: float = Field(default=10, ge=0, le=300, description="difference of clocks that is forgiven")
    revoked: frozenset[str] = Field(default=frozenset(), max_length=10_000, description="token ids (jti) that are refused, a JSON list")
    policies: Path = Field(
        default_factory=lambda: Path(str(files("gateway") / "policies")), description="folder of Cedar policies and schema"
    )
    reload_s: Seconds = Field(default=2, description="how often key set and policies are read again")


class QuotaSettings(_Group):
    """Calls per second of one tenant in one scenario; bursts in calls."""

    decide_per_s: PerSecond = Field(default=2_000, description="decisions")
    decide_burst: PerSecond = Field(default=4_000, description="decisions at once")
    read_per_s: PerSecond = Field(default=500, description="reads")
    read_burst: PerSecond = Field(default=1_000, description="reads at once")
    change_per_s: PerSecond = Field(default=50, description="changes of lists, documents and rights, tests of rules")
    change_burst: PerSecond = Field(default=100, description="changes at once")
    generate_per_s: PerSecond = Field(default=100, description="generations begun; what they cost is metered in tokens")
    generate_burst: PerSecond = Field(default=500, description="generations begun at once")

    upload_per_s: PerSecond = Field(default=200, description="steps of uploads of documents, a part of 1 MiB among them")
    upload_burst: PerSecond = Field(default=400, description="steps of uploads at once")

    def rates(self) -> dict[QuotaClass, Rate]:
        """Return the rate of each class."""
        return {
            "decide": Rate(self.decide_per_s, self.decide_burst),
            "read": Rate(self.read_per_s, self.read_burst),
            "change": Rate(self.change_per_s, self.change_burst),
            "generate": Rate(self.generate_per_s, self.generate_burst),
            "upload": Rate(self.upload_per_s, self.upload_burst),
        }


class TokenShares(_Group):
    """Tokens of generations in a calendar minute, and in a calendar day."""

    prompt_per_minute: TokenNumber = Field(default=0, description="tokens of prompts; 0 no limit")
    output_per_minute: TokenNumber = Field(default=0, description="tokens of answers; 0 no limit")
    prompt_per_day: TokenNumber = Field(default=0, description="tokens of prompts; 0 no limit")
    output_per_day: TokenNumber = Field(default=0, description="tokens of answers; 0 no limit")


class BudgetSettings(_Group):
    """Shares of tokens: of every tenant, of each of its scenarios, of each of its principals."""

    tenant: TokenShares = TokenShares(prompt_per_minute=20_000_000, output_per_minute=4_000_000)
    scenario: TokenShares = TokenShares()
    principal: TokenShares = TokenShares(prompt_per_minute=10_000_000, output_per_minute=2_000_000)
    assumed_output_tokens: int = Field(
        default=1_024, ge=1, le=1_000_000, description="what a request that names no maximum is taken to want, until the router says"
    )
    hold_s: Seconds = Field(default=30, description="when the tokens of a gateway that died are free again")
    pending_s: Seconds = Field(
        default=120, description="how long a call that ended holds what it used, at the longest, until its audit record is booked"
    )
    time_zone: str = Field(default="UTC", description="whose midnight begins a day, for example Asia/Shanghai")
    local_fraction: float = Field(
        default=0.5, gt=0, le=1, description="of every share, what each gateway grants by itself while Redis is away: 1 / gateways"
    )
    file: Path | None = Field(
        default=None, description="shares of single tenants, scenarios and principals, YAML; read again when it changes"
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        zone(name)
        return name

    @property
    def everybody(self) -> dict[Scope, dict[str, int]]:
        """Return the shares that hold where the file names no other."""
        return {"tenant": self.tenant.model_dump(), "scenario": self.scenario.model_dump(), "principal": self.principal.model_dump()}

    @property
    def calendar(self) -> Calendar:
        """Return the days and minutes that are counted."""
        return Calendar(zone(self.time_zone))


class GatewayKeys(ProducerKeys):
    """What it signs with, and what keeps names out of its audit records."""

    principals: Path | None = Field(default=None, description="key ring of the keyed hashes of principals in records of denials")


class HttpSettings(_Group):
    """The door that speaks OpenAI's API."""

    grade: int = Field(default=3, ge=1, le=5, description="data grade of a request that does not state one in x-finmesh-grade")
    knowledge: frozenset[str] = Field(
        default=frozenset({"knowledge"}),
        description="scenarios of documents that are listed as models `knowledge/<scenario>` to callers who may use them, a JSON list",
    )
    aliases: dict[str, str] = Field(default={}, description="names that clients use for served models, a JSON object")
    first_s: Seconds = Field(default=2, description="how long status and headers of a stream wait for its first token or error")
    keepalive_s: Seconds = Field(default=15, description="a stream in which nothing came for so long gets a comment")
    idle_s: Seconds = Field(default=75, description="when a connection without a request is closed")
    header_bytes: int = Field(default=32 * 1024, ge=1024, le=1024 * 1024, description="larger headers are refused")
    body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="larger bodies are refused")
    body_s: Seconds = Field(default=30, description="how long a body may take to arrive")


class GatewayConfig(ServiceConfig):
    """All settings."""

    listen: str = Field(default="127.0.0.1:8443", description="host:port of the public gRPC server")
    http_listen: str = Field(default="", description="host:port of the public HTTP server, which speaks OpenAI's API; empty: none")
    http: HttpSettings = HttpSettings()
    callers: frozenset[str] = Field(
        default=frozenset({"client", "core-banking", "simbank"}), description="workloads whose certificates may connect, a JSON list"
    )
    streams_per_connection: int = Field(default=200, ge=1, le=10_000, description="concurrent calls of one connection")
    concurrent_calls: int = Field(default=2_000, ge=1, le=100_000, description="concurrent calls of the process; more are refused")
    slow_reader_s: Seconds = Field(default=30, description="how long one response of a stream may wait for its reader")
    idempotency_life_s: Seconds = Field(default=86_400, description="how long an idempotency key is remembered")
    auth: AuthSettings = AuthSettings()
    upstream: dict[str, str] = Field(
        default={}, description="gRPC target of each service whose methods are forwarded: `FINMESH_UPSTREAM__RISK_SCORING=host:port`"
    )
    quota: QuotaSettings = QuotaSettings()
    budget: BudgetSettings = BudgetSettings()
    redis: RedisSettings = RedisSettings(timeout_ms=50)
    kafka: KafkaSettings = KafkaSettings()
    keys: GatewayKeys = GatewayKeys()

    @field_validator("upstream")
    @classmethod
    def _named_as_services(cls, targets: dict[str, str]) -> dict[str, str]:
        return {name.lower().replace("_", "-"): target for name, target in targets.items()}
