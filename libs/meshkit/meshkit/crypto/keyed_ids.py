"""Keyed hashes: entity keys, and ids that a replay derives again.

Nothing that finmesh writes carries a bank's id in clear (rule D24): Redis and Kafka keys, traces and dead letters hold these hashes. Their
keys never rotate: with another key every stored entity and every emitted id (rule D3) would be another.
"""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from uuid import UUID

from meshkit.crypto.derive import ID_LABELS, IDS
from meshkit.crypto.ring import RingKeys, key_ring_invalid


class KeyedIds:
    """Derives every id and key of an entity. Raises FailedPrecondition (KEY_RING_INVALID) when a key is missing.

    Each hash goes on from a copy of one that has its key already. That costs less than looking a key up among those of all entities, which
    lie in memory that nothing else uses.
    """

    def __init__(self, keys: RingKeys) -> None:
        if set(keys.secrets) != set(ID_LABELS):
            raise key_ring_invalid(IDS, f"the keys are {', '.join(ID_LABELS)}")
        self._entity, self._id, self._fingerprint = (blake2b(digest_size=16, key=keys.secrets[label]) for label in ID_LABELS)

    def entity_key(self, tenant: str, entity_id: str) -> bytes:
        """Return the 16-byte key of an entity; the same id in two tenants gives two keys. Empty for an empty id."""
        if not entity_id:
            return b""
        found = self._entity.copy()
        found.update(f"{tenant}\x00{entity_id}".encode())
        return found.digest()

    def derived_id(self, kind: str, content: bytes) -> bytes:
        """Return the 16 bytes of the UUIDv8 (RFC 9562) of ``kind`` for this content, the decision key for instance."""
        found = self._id.copy()
        found.update(kind.encode() + b"\x00" + content)
        raw = bytearray(found.digest())
        raw[6] = raw[6] & 0x0F | 0x80
        raw[8] = raw[8] & 0x3F | 0x80
        return bytes(raw)

    def fingerprint(self, content: bytes) -> bytes:
        """Return the 16-byte keyed fingerprint of canonical business fields."""
        found = self._fingerprint.copy()
        found.update(content)
        return found.digest()


def uuid_text(raw: bytes | bytearray) -> str:
    """Return 16 bytes in the canonical text form of a UUID."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a canonical UUID text; raises ValueError for anything else."""
    raw = UUID(text)
    if str(raw) != text:
        raise ValueError("not in canonical form")
    return raw.bytes


def uuid7() -> str:
    """Return a new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits."""
    raw = bytearray((time.time_ns() // 1_000_000 & (1 << 48) - 1).to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return uuid_text(raw)
