"""Sealed payloads: what waits in dead letters and quarantine is unreadable without the key (rule D24).

AES-256-GCM-SIV (RFC 8452), which survives a repeated nonce. The associated data names where the payload waits, so that a sealed payload
can't be moved to another place unnoticed.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from meshkit.crypto.ring import Ring
from meshkit.errors import DataCorrupted

_NONCE_BYTES = 12


class SealKey:
    """One key of the ring "seal"."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.id = key_id
        self._aead = AESGCMSIV(secret)

    def seal(self, payload: bytes, place: str) -> bytes:
        """Return nonce and ciphertext; ``place`` must be given again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, payload or b"\x00", self._bound(payload, place))

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """Return the payload; None when key, place or bytes are not the ones it was sealed with."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for empty in (False, True):
            try:
                payload = self._aead.decrypt(nonce, ciphertext, self._bound(b"" if empty else b"\x00", place))
            except (InvalidTag, ValueError):
                continue
            return b"" if empty else payload
        return None

    def _bound(self, payload: bytes, place: str) -> bytes:
        """Associated data; says whether the payload is empty, since the cipher takes no empty plaintext everywhere."""
        return f"{self.id}|{place}|{'full' if payload else 'empty'}".encode()


class Sealer:
    """Seals under the ring's primary, opens under every accepted key."""

    def __init__(self, ring: Ring[SealKey]) -> None:
        self._ring = ring

    @property
    def primary(self) -> SealKey:
        """Return the key that seals; take it once where its id is written beside what it sealed."""
        return self._ring.primary

    def seal(self, payload: bytes, place: str) -> bytes:
        """Return the sealed payload; ``place`` must be given again to open it."""
        return self._ring.primary.seal(payload, place)

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return the payload; raises DataCorrupted (SEAL_BROKEN) when no accepted key sealed it, there, like this."""
        for key in self._ring.accepted:
            payload = key.open(sealed, place)
            if payload is not None:
                return payload
        raise DataCorrupted("sealed payload does not open", reason="SEAL_BROKEN")
