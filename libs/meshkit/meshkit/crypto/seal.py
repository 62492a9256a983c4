"""Sealed payloads: what waits in dead letters and quarantine is unreadable without the key (rule D24).

AES-256-GCM-SIV (RFC 8452), which survives a repeated nonce. The associated data names where the payload waits, so that a sealed payload
can't be moved to another place unnoticed.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from meshkit.config import KeySettings
from meshkit.crypto.keyed_ids import derive_key
from meshkit.errors import DataCorrupted

_NONCE_BYTES = 12


class Sealer:
    """Seals and opens payloads under a sub-key of the root secret."""

    def __init__(self, settings: KeySettings) -> None:
        self.key_id = settings.id
        self._aead = AESGCMSIV(derive_key(settings.secret.get_secret_value().encode(), "seal"))

    def seal(self, payload: bytes, place: str) -> bytes:
        """Return nonce and ciphertext; ``place`` must be given again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, payload or b"\x00", self._bound(payload, place))

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return the payload; raises DataCorrupted when key, place or bytes are not the ones it was sealed with."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for empty in (False, True):
            try:
                payload = self._aead.decrypt(nonce, ciphertext, self._bound(b"" if empty else b"\x00", place))
            except (InvalidTag, ValueError):
                continue
            return b"" if empty else payload
        raise DataCorrupted("sealed payload does not open", reason="SEAL_BROKEN")

    def _bound(self, payload: bytes, place: str) -> bytes:
        """Associated data; says whether the payload is empty, since the cipher takes no empty plaintext everywhere."""
        return f"{self.key_id}|{place}|{'full' if payload else 'empty'}".encode()
