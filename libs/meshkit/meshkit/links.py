"""Is what a process says and hears protected? Asked of its settings at start: outside of loopback, clear text is wrong configuration.

A function of whichever groups of settings a process has. ``FINMESH_ALLOW_CLEAR_TEXT`` names links that something else protects, a service
mesh as a rule. The metrics endpoint and the export of spans are exempt: they carry no business data, and clusters scrape in clear text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import SecretStr

from meshkit.addresses import grpc_hosts, is_local, list_hosts
from meshkit.config import Environment, KafkaSettings, KeySettings, Link, MilvusSettings, RedisSettings, ServiceConfig, TritonSettings
from meshkit.crypto.derive import development
from meshkit.errors import MeshError
from meshkit.reload import read_file
from meshkit.strict_json import parse_json

PREFIX = "FINMESH_"
_POSTGRES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class _End:
    """One address of the settings. ``wrong`` names the setting that leaves it in clear text, empty when it is protected."""

    link: Link
    hosts: list[str]
    wrong: str

    @property
    def is_local(self) -> bool:
        return all(is_local(host) for host in self.hosts)


def problems(config: Environment) -> list[str]:
    """Return what must not be as it is, each text beginning with its setting; no values, which may be secrets."""
    found = [end.wrong for end in _ends(config) if end.wrong and end.link not in config.allow_clear_text and not end.is_local]
    if isinstance(config, ServiceConfig) and any(vars(config.tls).values()) and not _is_mutual(config):
        found.append("TLS__*: certificate, key and authority, all three or none")
    keys = getattr(config, "keys", None)
    if isinstance(keys, KeySettings) and not config.allow_development_keys:
        known = list(_development_keys(keys))
        if known and is_exposed(config):
            found += [f"KEYS__{name}: a development key, which everybody knows" for name in known]
    return [PREFIX + text for text in found]


def is_exposed(config: Environment) -> bool:
    """Whether the process listens, or talks to anything, outside of loopback."""
    return not all(end.is_local for end in _ends(config))


def _is_mutual(config: ServiceConfig) -> bool:
    return all(vars(config.tls).values())


def _ends(config: Environment) -> Iterator[_End]:
    """Every address in the settings; where the process listens comes first, since it is known without resolving names."""
    no_tls = "outside of loopback without FINMESH_TLS__*" if isinstance(config, ServiceConfig) and not _is_mutual(config) else ""
    if isinstance(config, ServiceConfig):
        yield _End("grpc", grpc_hosts(config.listen, "0.0.0.0"), no_tls and f"LISTEN: {no_tls}")  # noqa: S104  no host: everywhere
    for name in type(config).model_fields:
        group, prefix = getattr(config, name), f"{name.upper()}__"
        if isinstance(group, KafkaSettings):
            wrong = "" if group.security_protocol.endswith("SSL") else f"{prefix}SECURITY_PROTOCOL: in clear text to other hosts"
            yield _End("kafka", list_hosts(group.bootstrap_servers), wrong)
        elif isinstance(group, RedisSettings):
            wrong = "" if _is_verified_redis(group.url) else f"{prefix}URL: other hosts need rediss:// and their certificate checked"
            yield _End("redis", _redis_hosts(group.url), wrong)
        elif isinstance(group, TritonSettings):
            yield _End("triton", grpc_hosts(group.url), "" if group.tls else f"{prefix}TLS: in clear text to other hosts")
        elif isinstance(group, MilvusSettings):
            parts = _split(group.uri)
            wrong = "" if parts.scheme == "https" else f"{prefix}URI: in clear text to other hosts"
            yield _End("milvus", [parts.hostname or ""], wrong)
        elif name == "http_listen" and group:
            yield _End("grpc", grpc_hosts(group, "0.0.0.0"), no_tls and f"HTTP_LISTEN: {no_tls}")  # noqa: S104  no host: everywhere
        elif name == "upstream":
            for service, target in dict(group).items():
                yield _End("grpc", grpc_hosts(target), no_tls and f"{prefix}{service.upper().replace('-', '_')}: {no_tls}")
        elif isinstance(secret := getattr(group, "database_url", None), SecretStr):
            url = secret.get_secret_value()
            wrong = "" if _sslmode(url) == "verify-full" else f"{prefix}DATABASE_URL: other hosts need sslmode=verify-full"
            yield _End("database", _database_hosts(url), wrong)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _redis_hosts(url: str) -> list[str]:
    """Hosts as the client finds them; what is no such URL counts as elsewhere."""
    parts = _split(url)
    if parts.scheme == "unix":
        return ["unix:"]
    if parts.scheme not in ("redis", "rediss"):
        return [""]
    return [parts.hostname] if parts.hostname else parse_qs(parts.query).get("host", ["localhost"])


def _is_verified_redis(url: str) -> bool:
    parts = _split(url)
    options = parse_qs(parts.query)
    checked = options.get("ssl_cert_reqs", ["required"])[-1] == "required"
    return parts.scheme == "rediss" and checked and options.get("ssl_check_hostname", ["True"])[-1].lower() not in ("false", "0", "no")


def _database_hosts(url: str) -> list[str]:
    """Hosts as libpq finds them: in the URL, in its parameters, in its environment; SQLite and sockets are local."""
    if not url.startswith(_POSTGRES):
        return ["unix:"]
    parts = _split(url)
    if not parts.scheme:
        return [""]
    options = parse_qs(parts.query)
    named = [unquote(host) for host in list_hosts(parts.netloc.rpartition("@")[2]) if host]
    for option in ("host", "hostaddr", "service"):
        named += [host for value in options.get(option, []) for host in value.split(",")]
    if not named:
        named = [os.environ[name] for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE") if os.environ.get(name)]
    return ["unix:" if host.startswith(("/", "@")) else host for host in named] or ["unix:"]


def _sslmode(url: str) -> str:
    return parse_qs(_split(url).query).get("sslmode", [os.environ.get("PGSSLMODE", "")])[-1]


def _development_keys(keys: KeySettings) -> Iterator[str]:
    """Names of the settings that leave a purpose with its development key, or name a file that holds one."""
    for name in type(keys).model_fields:
        value = getattr(keys, name)
        if name not in keys.not_files and name not in keys.may_be_absent and not value:
            yield name.upper()
        paths = value.values() if isinstance(value, dict) else [value]
        if any(isinstance(path, Path) and _is_development(path) for path in paths):
            yield name.upper()


def _is_development(path: Path) -> bool:
    """Whether a ring file holds a development key. One that can't be read is found wrong by whoever needs it."""
    try:
        document = parse_json(read_file(path))
        known = {secret.hex() for secret in development(document["purpose"]).secrets.values()}
        return not known.isdisjoint(str(secret).lower() for secret in document["keys"].values())
    except (MeshError, OSError, TypeError, KeyError, AttributeError):
        return False
