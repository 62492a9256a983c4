"""Names of a prompt's blocks, and the namespace that keys them: what may share a cached prefix with what.

A block's id is the BLAKE2b-128 of its predecessor's id (nothing before the first) and its own tokens (u32, little-endian), keyed by the
namespace: as engines make it, whose code the router does not import.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import blake2b, sha256

import numpy as np

_ID_BYTES = 16


def block_ids(tokens: Sequence[int], block_tokens: int, namespace: bytes) -> tuple[bytes, ...]:
    """Return the ids (16 bytes each) of a prompt's full blocks, in order."""
    content = np.asarray(tokens[: len(tokens) - len(tokens) % block_tokens], "<u4").tobytes()
    ids: list[bytes] = []
    before = b""
    for start in range(0, len(content), 4 * block_tokens):
        before = blake2b(before + content[start : start + 4 * block_tokens], digest_size=_ID_BYTES, key=namespace).digest()
        ids.append(before)
    return tuple(ids)


def namespace_of(secret: bytes, tenant: str, scenario: str, grade: int, release: str) -> bytes:
    """Return the 32 bytes under which keys and values are cached: no prefix is shared across any of these."""
    return _hmac(secret, "namespace", tenant, scenario, str(grade), release)


def tenant_digest(secret: bytes, tenant: str) -> bytes:
    """Return the 32 bytes that stand for a tenant in tickets."""
    return _hmac(secret, "tenant", tenant)


def _hmac(secret: bytes, *parts: str) -> bytes:
    return hmac.new(secret, b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts), sha256).digest()
