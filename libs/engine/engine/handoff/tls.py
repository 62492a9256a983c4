"""Mutual TLS 1.3 between hosts: both ends show a certificate, and both look whose it is.

Identity is the SPIFFE URI in the subject alternative name, as everywhere in the mesh; names of hosts are not compared. Files are read again
when they changed, so that a renewed certificate needs no restart; files that are spoilt or half written leave the last good ones in force.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection
from pathlib import Path
from typing import cast

from engine.handoff.errors import Refused

TRUST_DOMAIN = "finmesh.local"


class TlsEnd:
    """One end's certificate, its key and the authority, all PEM; ``allowed``: workloads that may be the other end."""

    def __init__(self, certificate: Path, key: Path, authority: Path, allowed: Collection[str]) -> None:
        """Read the files. Raises OSError, ssl.SSLError among them."""
        self._files, self._allowed = (certificate, key, authority), frozenset(allowed)
        self._made: dict[bool, tuple[tuple[int, ...], ssl.SSLContext]] = {}
        for server in (True, False):
            self._context(server=server)

    def wrap(self, sock: socket.socket, *, server: bool) -> ssl.SSLSocket:
        """Shake hands on a connected socket, within its timeout. Raises Refused (PEER_NOT_ALLOWED), OSError."""
        wrapped = self._context(server=server).wrap_socket(sock, server_side=server)
        if peer(wrapped) not in self._allowed:
            wrapped.close()
            raise Refused("PEER_NOT_ALLOWED")
        return wrapped

    def _context(self, *, server: bool) -> ssl.SSLContext:
        made = self._made.get(server)
        try:
            version = tuple(path.stat().st_mtime_ns for path in self._files)
            if made is None or made[0] != version:
                made = self._made[server] = (version, self._new(server=server))
        except OSError:
            if made is None:
                raise
        return made[1]

    def _new(self, *, server: bool) -> ssl.SSLContext:
        certificate, key, authority = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
        return context


def peer(sock: ssl.SSLSocket) -> str:
    """Return the workload that the other end's certificate names; empty when it names none, or several things."""
    names = cast("tuple[tuple[str, str], ...]", (sock.getpeercert() or {}).get("subjectAltName", ()))
    uris = [value for kind, value in names if kind == "URI"]
    prefix = f"spiffe://{TRUST_DOMAIN}/"
    return uris[0].removeprefix(prefix) if len(uris) == 1 and uris[0].startswith(prefix) else ""
