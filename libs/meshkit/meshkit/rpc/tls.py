"""TLS files of one workload, read again when they change: a certificate lives for a day, a process for months.

A server takes the newest at the next handshake, a ``MeshChannel`` is made anew. A half-written or broken set of files changes nothing: the
last good one stays in force and an error is logged. Surprising: gRPC itself takes any bytes and fails with each handshake, so what is no
certificate, or no pair, is found out here.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import grpc
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificates

from meshkit.config import TlsSettings, TritonSettings
from meshkit.errors import InvalidDocument
from meshkit.reload import Reloaded, read_file

Value = TypeVar("Value")
CERTIFICATES_INVALID = "CERTIFICATES_INVALID"


class Material(NamedTuple):
    """Contents of the files; None for one that is not named."""

    authority: bytes | None
    certificate: bytes | None
    key: bytes | None


Files: TypeAlias = Reloaded[Material, Material]


def is_configured(tls: TlsSettings) -> bool:
    """Return whether TLS is on. Raises ValueError when only a part of the three files is named."""
    named = [path is not None for path in (tls.certificate, tls.key, tls.authority)]
    if any(named) and not all(named):
        raise ValueError("TLS needs certificate, key and authority: all three or none")
    return all(named)


def watched(tls: TlsSettings, load: Callable[[Material], Value]) -> Reloaded[Material, Value]:
    """Return what is made of the files that are named, and made again. Raises FailedPrecondition when they are broken now."""
    paths = (tls.authority, tls.certificate, tls.key)
    name = f"certificates {', '.join(str(path) for path in paths if path is not None) or 'of the system'}"
    return Reloaded(name, partial(_read, paths), load, reason=CERTIFICATES_INVALID)


def of_triton(triton: TritonSettings) -> Files | None:
    """Return the files of a client of Triton, None in clear text. Raises FailedPrecondition when they are broken now."""
    if not triton.tls:
        return None
    return watched(TlsSettings(certificate=triton.certificate, key=triton.key, authority=triton.authority), checked)


def channel_credentials(tls: TlsSettings) -> grpc.ChannelCredentials:
    """Return credentials of a client that lives shorter than a certificate."""
    return client_credentials(watched(tls, checked).value)


def client_credentials(material: Material) -> grpc.ChannelCredentials:
    """Return credentials of a client; without an authority gRPC's own list of them counts."""
    return grpc.ssl_channel_credentials(material.authority, material.key, material.certificate)


def server_credentials(tls: TlsSettings) -> grpc.ServerCredentials:
    """Return server credentials that require client certificates and follow changes of the files."""
    files = watched(tls, checked)

    def configuration() -> grpc.ServerCertificateConfiguration:
        authority, certificate, key = files.value
        return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=authority)  # type: ignore[list-item]

    def changed() -> grpc.ServerCertificateConfiguration | None:
        return configuration() if files.refresh() else None

    return grpc.dynamic_ssl_server_credentials(configuration(), changed, require_client_authentication=True)  # type: ignore[arg-type]  # the stub forgets that None means unchanged


def server_context(tls: TlsSettings) -> ssl.SSLContext:
    """Return what asyncio serves by: client certificates are required, and each handshake is made by the newest files."""
    files = watched(tls, _context)
    first = files.value

    def newest(socket: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        files.refresh()
        if files.value is not first:
            socket.context = files.value

    first.sni_callback = newest  # which is called without a name as well
    return first


def _context(material: Material) -> ssl.SSLContext:
    authority, certificate, key = checked(material)
    assert authority is not None and certificate is not None and key is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.decode("ascii"))
    _load_pair(context, certificate, key)
    return context


def client_context(material: Material) -> ssl.SSLContext:
    """Return what asyncio connects by: the authority that is named, and no other."""
    assert material.authority is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=material.authority.decode("ascii"))
    if material.certificate is not None and material.key is not None:
        _load_pair(context, material.certificate, material.key)
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    with tempfile.TemporaryFile() as file:  # the module reads files alone; these bytes are a pair, which files may not be any more
        file.write(key + b"\n" + certificate)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def _read(paths: tuple[Path | None, Path | None, Path | None]) -> Material:
    return Material(*(None if path is None else read_file(path) for path in paths))


def checked(material: Material) -> Material:
    """Return it. Raises InvalidDocument, or whatever a parser raises, when no TLS could use it."""
    if material.authority is not None:
        load_pem_x509_certificates(material.authority)
    if material.certificate is not None and material.key is not None:
        certificate = load_pem_x509_certificates(material.certificate)[0]
        if serialization.load_pem_private_key(material.key, password=None).public_key() != certificate.public_key():
            raise InvalidDocument("the key is not that of the certificate")
    return material
