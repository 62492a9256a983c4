"""Sub-keys from a root secret, by HKDF-SHA-256 (RFC 5869): one label a purpose, so that an entity key can't be read as a commitment.

The root is known to whoever provisions a mesh (`provisioning.keys`), never to a process of it. The development root is known to everybody.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from meshkit.crypto.ring import RingKeys, read_ring

DEVELOPMENT_ROOT = b"finmesh-development-secret-not-for-production"
DEVELOPMENT_ID = "dev-1"
IDS, COMMITMENT, SEAL, AUDIT_BATCH, PRINCIPALS = "ids", "commitment", "seal", "audit-batch", "principals"
NAMESPACES, TICKETS = "namespaces", "tickets"
"""Purposes. "ids" holds the three labels that never rotate; "principals" keys the names of those who were refused at the door;
"audit-batch" alone is the key that all producers once shared; "namespaces" keeps tenants apart in the memory of engines, and "tickets"
signs what one engine hands to another."""
ID_LABELS = ("entity", "id", "fingerprint")


def signing(workload: str) -> str:
    """Return the purpose of a workload's signatures of audit batches."""
    return f"{AUDIT_BATCH}|{workload}"


def derive_key(root: bytes, label: str) -> bytes:
    """Return the 32-byte sub-key of one label."""
    return HKDF(algorithm=SHA256(), length=32, salt=b"finmesh", info=label.encode()).derive(root)


def derive_ring(root: bytes, key_id: str, purpose: str) -> RingKeys:
    """Return the first keys of a purpose, as they were when processes held the root themselves."""
    if purpose == IDS:
        return RingKeys(IDS, "", {label: derive_key(root, label) for label in ID_LABELS})
    return RingKeys(purpose, key_id, {key_id: derive_key(root, purpose)})


def keys_of(path: Path | None, purpose: str) -> RingKeys:
    """Return the keys of a file, the development keys without one. Raises FailedPrecondition (KEY_RING_INVALID)."""
    return read_ring(path, purpose) if path else development(purpose)


def development(purpose: str) -> RingKeys:
    """Return the keys of a purpose that a process without key files uses, on loopback alone."""
    return derive_ring(DEVELOPMENT_ROOT, DEVELOPMENT_ID, purpose)
