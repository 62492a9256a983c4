"""What is refused at start: clear text to other hosts, keys that everybody knows; what is allowed by name."""

from pathlib import Path
from typing import Any

import pytest
from audit.config import AuditSettings
from audit.config import Config as AuditConfig
from gateway.config import GatewayConfig
from meshkit import links
from meshkit.config import KafkaSettings, KafkaToolConfig, Link, MilvusSettings, RedisSettings, TlsSettings, TritonSettings
from meshkit.crypto.derive import DEVELOPMENT_ROOT, derive_ring, signing
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from risk_scoring.config import RpcConfig, StreamConfig

FILES = {"certificate": Path("c"), "key": Path("k"), "authority": Path("a")}
MUTUAL = TlsSettings(**FILES)
ELSEWHERE = "10.1.2.3"


class Everything(RpcConfig):
    """Every group at once."""

    model_config = ConfigDict(extra="forbid")
    upstream: dict[str, str] = Field(default={})
    audit: AuditSettings = AuditSettings()
    milvus: MilvusSettings = MilvusSettings()


def wrong(**settings: Any) -> list[str]:
    """The settings that are found wrong."""
    found = links.problems(Everything(**({"allow_development_keys": True} | settings)))
    return [text.partition(":")[0] for text in found]


def database(url: str) -> dict[str, Any]:
    return {"audit": AuditSettings(database_url=url)}  # type: ignore[arg-type]


CLEAR: dict[str, tuple[Link, dict[str, Any]]] = {
    "FINMESH_LISTEN": ("grpc", {"listen": f"{ELSEWHERE}:1"}),
    "FINMESH_UPSTREAM__AUDIT": ("grpc", {"upstream": {"audit": f"ipv4:127.0.0.1:1,{ELSEWHERE}:1"}}),
    "FINMESH_UPSTREAM__RISK_SCORING": ("grpc", {"upstream": {"risk-scoring": "dns:///no-such-host.invalid:1"}}),
    "FINMESH_KAFKA__SECURITY_PROTOCOL": ("kafka", {"kafka": KafkaSettings(bootstrap_servers=f"127.0.0.1:1,{ELSEWHERE}:1")}),
    "FINMESH_REDIS__URL": ("redis", {"redis": RedisSettings(url=f"redis://:password@{ELSEWHERE}:1/0")}),
    "FINMESH_MILVUS__URI": ("milvus", {"milvus": MilvusSettings(uri=f"http://{ELSEWHERE}:1")}),
    "FINMESH_TRITON__TLS": ("triton", {"triton": TritonSettings(url=f"{ELSEWHERE}:1")}),
    "FINMESH_AUDIT__DATABASE_URL": ("database", database(f"postgresql://u:password@{ELSEWHERE}/d")),
}


def test_loopback_needs_nothing() -> None:
    assert wrong() == []
    assert links.problems(Everything()) == []  # development keys neither


@pytest.mark.parametrize("setting", CLEAR)
def test_clear_text_to_another_host_is_refused_unless_it_is_allowed_by_name(setting: str) -> None:
    link, settings = CLEAR[setting]
    assert wrong(**settings) == [setting]
    assert wrong(**settings, allow_clear_text=link) == []
    others = ",".join({"grpc", "kafka", "redis", "triton", "database", "milvus"} - {link})
    assert wrong(**settings, allow_clear_text=others) == [setting]


def test_everything_at_once_names_every_setting_and_no_value() -> None:
    upstream = {"audit": "a.invalid:1", "risk-scoring": "b.invalid:1"}
    config = Everything(**{name: value for _, given in CLEAR.values() for name, value in given.items()} | {"upstream": upstream})
    told = "; ".join(links.problems(config))
    assert all(setting in told for setting in CLEAR)
    assert "password" not in told and ELSEWHERE not in told


@pytest.mark.parametrize(
    "settings",
    [
        {"listen": f"{ELSEWHERE}:1", "tls": MUTUAL},
        {"upstream": {"audit": f"{ELSEWHERE}:1"}, "tls": MUTUAL},
        {"kafka": KafkaSettings(bootstrap_servers=f"{ELSEWHERE}:1", security_protocol="SSL")},
        {"kafka": KafkaSettings(bootstrap_servers=f"{ELSEWHERE}:1", security_protocol="SASL_SSL")},
        {"kafka": KafkaSettings(bootstrap_servers="[::1]:1,localhost:2")},
        {"redis": RedisSettings(url=f"rediss://{ELSEWHERE}:1/0")},
        {"redis": RedisSettings(url="unix:///run/redis.sock")},
        {"redis": RedisSettings(url="redis://[::1]:1/0")},
        {"triton": TritonSettings(url=f"{ELSEWHERE}:1", tls=True)},
        {"triton": TritonSettings(url="unix:///run/triton.sock")},
        {"milvus": MilvusSettings(uri=f"https://{ELSEWHERE}:1")},
        database(f"postgresql://u:p@{ELSEWHERE},other/d?sslmode=verify-full"),
        database("postgresql:///d?host=/run/postgresql"),
        database("postgresql://%2Frun%2Fpostgresql/d"),
        database("postgresql://localhost,[::1]:5432/d"),
        database("postgresql:///d"),
        {"listen": "unix:///run/finmesh.sock"},
        {"listen": "[::1]:1"},
        {"metrics_listen": "0.0.0.0:9464"},
    ],
)
def test_what_is_protected_or_stays_here(settings: dict[str, Any]) -> None:
    assert wrong(**settings) == []


WEAK = ("", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full&sslmode=disable")


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"listen": "0.0.0.0:1"}, "FINMESH_LISTEN"),
        ({"listen": "[::]:1"}, "FINMESH_LISTEN"),
        ({"listen": ":1"}, "FINMESH_LISTEN"),
        ({"listen": "银行.invalid:1"}, "FINMESH_LISTEN"),
        ({"tls": TlsSettings(certificate=Path("c"), key=Path("k"))}, "FINMESH_TLS__*"),
        ({"kafka": KafkaSettings(bootstrap_servers="a.invalid:1", security_protocol="SASL_PLAINTEXT")}, "FINMESH_KAFKA__SECURITY_PROTOCOL"),
        ({"redis": RedisSettings(url=f"rediss://{ELSEWHERE}:1/0?ssl_cert_reqs=none")}, "FINMESH_REDIS__URL"),
        ({"redis": RedisSettings(url=f"rediss://{ELSEWHERE}:1/0?ssl_check_hostname=False")}, "FINMESH_REDIS__URL"),
        ({"redis": RedisSettings(url=f"redis:///0?host={ELSEWHERE}")}, "FINMESH_REDIS__URL"),
        *(({"redis": RedisSettings(url=url)}, "FINMESH_REDIS__URL") for url in ("redis://[::1", "127.0.0.1:6379", "http://localhost", "")),
        (database("postgresql://[::1/d"), "FINMESH_AUDIT__DATABASE_URL"),
        *((database(f"postgresql://h.invalid/d{mode}"), "FINMESH_AUDIT__DATABASE_URL") for mode in WEAK),
        (database(f"postgresql://localhost,{ELSEWHERE}/d"), "FINMESH_AUDIT__DATABASE_URL"),
        (database(f"postgres://localhost/d?hostaddr={ELSEWHERE}"), "FINMESH_AUDIT__DATABASE_URL"),
        (database(f"postgresql:///d?host=/run/postgresql,{ELSEWHERE}"), "FINMESH_AUDIT__DATABASE_URL"),
        (database("postgresql:///d?service=bank"), "FINMESH_AUDIT__DATABASE_URL"),
    ],
)
def test_what_only_looks_protected_or_local(settings: dict[str, Any], setting: str) -> None:
    assert wrong(**settings) == [setting]


def test_hosts_and_sslmode_may_come_from_libpq_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", ELSEWHERE)
    assert wrong(**database("postgresql:///d")) == ["FINMESH_AUDIT__DATABASE_URL"]
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert wrong(**database("postgresql:///d")) == []
    assert wrong(**database("postgresql:///d?sslmode=prefer")) == ["FINMESH_AUDIT__DATABASE_URL"]


@pytest.mark.parametrize("given", ["kafka,,redis ", "kafka, redis"])
def test_the_list_of_links(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINMESH_ALLOW_CLEAR_TEXT", given)
    assert KafkaToolConfig().allow_clear_text == {"kafka", "redis"}


@pytest.mark.parametrize("given", ["all", "kafka;redis", "Kafka", "*"])
def test_an_unknown_link_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINMESH_ALLOW_CLEAR_TEXT", given)
    with pytest.raises(ValidationError):
        KafkaToolConfig()


@pytest.mark.parametrize(
    "make",
    [
        lambda: KafkaSettings(security_protocol="SSL", certificate=Path("c")),
        lambda: KafkaSettings(security_protocol="PLAINTEXT", authority=Path("a")),
        lambda: TritonSettings(tls=True, key=Path("k")),
        lambda: TritonSettings(certificate=Path("c"), key=Path("k")),
    ],
)
def test_files_that_would_not_be_used_and_half_a_pair(make: Any) -> None:
    with pytest.raises(ValidationError):
        make()


EXPOSED: dict[str, Any] = {"listen": "0.0.0.0:1", "tls": MUTUAL}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (GatewayConfig, ["AUDIT_BATCH", "PRINCIPALS"]),
        (RpcConfig, ["AUDIT_BATCH", "COMMITMENT", "IDS"]),
        (StreamConfig, ["AUDIT_BATCH", "COMMITMENT", "IDS", "SEAL"]),
        (AuditConfig, ["AUDIT_BATCH", "COMMITMENT", "SEAL"]),
    ],
)
def test_development_keys_are_refused_outside_of_loopback(kind: Any, names: list[str], tmp_path: Path) -> None:
    settings = [f"FINMESH_KEYS__{name}: a development key, which everybody knows" for name in names]
    assert sorted(links.problems(kind(**EXPOSED))) == settings
    assert (
        sorted(
            links.problems(
                kind(redis={"url": "rediss://h.invalid"}, kafka={"bootstrap_servers": "h.invalid:1", "security_protocol": "SSL"})
            )
        )
        == settings
    )
    assert links.problems(kind(**EXPOSED, allow_development_keys=True)) == []
    for root, found in ((DEVELOPMENT_ROOT, settings), (b"another root, of 32 bytes or more", [])):
        files = {}
        for name in names:
            purpose = signing("gateway") if name == "AUDIT_BATCH" else name.lower()
            path = tmp_path / f"{name}.json"
            path.write_bytes(derive_ring(root, "k-1", purpose).content())
            files[name.lower()] = {"gateway": path} if kind is AuditConfig and name == "AUDIT_BATCH" else path
        assert sorted(links.problems(kind(**EXPOSED, keys=files))) == found


def test_a_file_that_cannot_be_read_is_found_wrong_by_whoever_needs_it(tmp_path: Path) -> None:
    broken = tmp_path / "ring.json"
    for content in (b"", b"{", b"[]", b'{"purpose": 7, "keys": []}', b"\xff"):
        broken.write_bytes(content)
        assert links.problems(GatewayConfig(**EXPOSED, keys=dict.fromkeys(("audit_batch", "principals"), broken))) == []  # type: ignore[arg-type]
    assert links.problems(GatewayConfig(**EXPOSED, keys=dict.fromkeys(("audit_batch", "principals"), tmp_path / "none"))) == []  # type: ignore[arg-type]


def test_every_address_among_the_settings_is_looked_at() -> None:
    """A setting that names a host or a URL, and that nothing here knows, would leave a link unprotected."""
    known = {"listen", "http_listen", "metrics_listen", "bootstrap_servers", "url", "upstream", "database_url", "issuer"}

    def described(model: type[BaseModel]) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                found |= described(field.annotation)
            elif "host" in (field.description or "") or "url" in name or "://" in str(field.default):
                found.add(name)
        return found

    addresses = set().union(*(described(kind) for kind in (GatewayConfig, RpcConfig, StreamConfig, AuditConfig)))
    assert addresses - {"security_protocol", "tls", "allow_clear_text", "origin"} <= known
