"""Mutual TLS credentials from ``TlsSettings``. A server reads its files again when they change, at the next handshake."""

from __future__ import annotations

import logging
from pathlib import Path

import grpc

from meshkit.config import TlsSettings

_logger = logging.getLogger(__name__)


def is_configured(tls: TlsSettings) -> bool:
    """Return whether TLS is on. Raises ValueError when only a part of the three files is named."""
    named = [path is not None for path in (tls.certificate, tls.key, tls.authority)]
    if any(named) and not all(named):
        raise ValueError("TLS needs certificate, key and authority: all three or none")
    return all(named)


def _read(tls: TlsSettings) -> tuple[bytes, bytes, bytes]:
    if tls.certificate is None or tls.key is None or tls.authority is None:
        raise ValueError("TLS is not configured")
    return tls.certificate.read_bytes(), tls.key.read_bytes(), tls.authority.read_bytes()


def channel_credentials(tls: TlsSettings) -> grpc.ChannelCredentials:
    """Return credentials of a client with a certificate of its own."""
    certificate, key, authority = _read(tls)
    return grpc.ssl_channel_credentials(authority, key, certificate)


def server_credentials(tls: TlsSettings) -> grpc.ServerCredentials:
    """Return server credentials that require client certificates and follow changes of the files.

    A half-written or broken pair keeps the last good one and logs it.
    """

    def configuration() -> grpc.ServerCertificateConfiguration:
        certificate, key, authority = _read(tls)
        return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=authority)

    seen = [_stamp(tls)]

    def changed() -> grpc.ServerCertificateConfiguration | None:
        stamp = _stamp(tls)
        if stamp == seen[0] or stamp is None:
            return None
        try:
            fresh = configuration()
        except (OSError, ValueError):
            _logger.exception("certificates not reloaded, the last good ones stay")
            return None
        seen[0] = stamp
        return fresh

    return grpc.dynamic_ssl_server_credentials(configuration(), changed, require_client_authentication=True)  # type: ignore[arg-type]  # the stub forgets that None means unchanged


def _stamp(tls: TlsSettings) -> tuple[tuple[int, int], ...] | None:
    paths: list[Path] = [path for path in (tls.certificate, tls.key, tls.authority) if path is not None]
    try:
        return tuple((path.stat().st_mtime_ns, path.stat().st_ino) for path in paths)
    except OSError:
        return None
