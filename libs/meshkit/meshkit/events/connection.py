"""How every Kafka client of finmesh reaches its brokers: addresses, TLS, SASL, from the settings alone."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from typing import Any

from meshkit.config import KafkaSettings, TlsSettings
from meshkit.events import header_keys
from meshkit.rpc.tls import Material, checked, watched


class _NewestContext(ssl.SSLContext):
    """Shows the newest certificate at each new connection: clients live for months, certificates for a day.

    asyncio asks a context for nothing but ``wrap_bio``, once a connection. A broken set of files leaves the last good one in force.
    """

    def __new__(cls, tls: TlsSettings) -> _NewestContext:
        """Return a client's context that checks brokers."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, tls: TlsSettings) -> None:
        def loaded(material: Material) -> ssl.SSLContext:
            authority, certificate, _ = checked(material)
            context = ssl.create_default_context(cadata=authority.decode() if authority else None)
            if certificate is not None and tls.certificate is not None:
                context.load_cert_chain(tls.certificate, tls.key)  # it reads files alone
            return context

        self._files = watched(tls, loaded)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a connection."""
        self._files.refresh()
        return self._files.value.wrap_bio(*args, **kwargs)


@cache
def _context(authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """One for all clients, so that one that is made while files are being replaced has the last good ones too."""
    return _NewestContext(TlsSettings(authority=authority, certificate=certificate, key=key))


def connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that all aiokafka clients share. Raises FailedPrecondition for files that are broken or not there."""
    header_keys.install()
    options: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_servers, "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = _context(kafka.authority, kafka.certificate, kafka.key)
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = kafka.sasl_password.get_secret_value()
    return options
