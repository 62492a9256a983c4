"""The gateway as the options before a subcommand name it."""

from __future__ import annotations

from finmesh_client import GatewayClient
from meshkit.config import TlsSettings

from finmesh_cli.failures import UsageError
from finmesh_cli.settings import HEADER, Settings, endpoints


def tls(settings: Settings) -> TlsSettings:
    """Return the client's certificate files. Raises UsageError when one is not there."""
    files = {"authority": "authority.pem", "certificate": "client.pem", "key": "client.key"}
    for name in files.values():
        if not (settings.certs / name).is_file():
            raise UsageError(f"no {settings.certs / name} (make certs, or --certs)")
    return TlsSettings(**{field: settings.certs / name for field, name in files.items()})


def connect(settings: Settings) -> GatewayClient:
    """Return a client that repeats what cannot be reached. Raises UsageError that names the option."""
    if not HEADER.fullmatch(settings.purpose):
        raise UsageError("--purpose is a word of ASCII, such as fraud-prevention")
    settings.bearer()  # what is wrong with it is said before anything is asked
    target, files = endpoints("--gateway", settings.gateway), tls(settings)
    return GatewayClient(target, files, lambda _: settings.bearer(), purpose=settings.purpose, timeout_s=settings.timeout_s, retried=True)
