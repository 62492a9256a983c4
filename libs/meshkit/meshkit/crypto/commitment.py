"""Keyed commitments: what a leaf of the audit log says about content that is kept apart (rule D24)."""

from __future__ import annotations

from hashlib import sha256

_BLOCK_BYTES = 64


class CommitmentKey:
    """One key of the ring "commitment". Whoever reads a commitment needs its key's id beside it."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.id = key_id
        block = secret.ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))  # HMAC (RFC 2104) with its two key blocks hashed once
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def commit(self, content: bytes) -> bytes:
        """Return the HMAC-SHA-256 commitment (32 bytes) to content that is kept apart."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.digest()
