"""The namespace of a prompt's blocks: what may share a cached prefix with what."""

from __future__ import annotations

import hmac
from hashlib import sha256


def namespace_of(secret: bytes, tenant: str, scenario: str, grade: int, release: str) -> bytes:
    """Return the 32 bytes under which keys and values are cached: no prefix is shared across any of these."""
    return _hmac(secret, "namespace", tenant, scenario, str(grade), release)


def tenant_digest(secret: bytes, tenant: str) -> bytes:
    """Return the 32 bytes that stand for a tenant in tickets."""
    return _hmac(secret, "tenant", tenant)


def _hmac(secret: bytes, *parts: str) -> bytes:
    return hmac.new(secret, b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts), sha256).digest()


class NamespaceKey:
    """One key of the ring "namespaces"."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.id = key_id
        self.secret = secret
