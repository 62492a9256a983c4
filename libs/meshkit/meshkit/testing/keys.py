"""Development keys for tests: what a process on loopback has without key files."""

from __future__ import annotations

from meshkit.audit.batch import BatchSigner, BatchVerifier, SigningKey
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.derive import AUDIT_BATCH, COMMITMENT, IDS, SEAL, development, signing
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.crypto.ring import Ring
from meshkit.crypto.seal import Sealer, SealKey


def keyed_ids() -> KeyedIds:
    """Return the ids of the development keys."""
    return KeyedIds(development(IDS))


def commitment_ring() -> Ring[CommitmentKey]:
    """Return the ring of commitments."""
    return Ring(development(COMMITMENT), CommitmentKey)


def payload_sealer() -> Sealer:
    """Return what seals."""
    return Sealer(Ring(development(SEAL), SealKey))


def batch_signer(workload: str = "risk-scoring") -> BatchSigner:
    """Return what signs a workload's batches."""
    return BatchSigner(Ring(development(signing(workload)), SigningKey))


def shared_signer() -> BatchSigner:
    """Return what signed everybody's batches before each workload had a key of its own."""
    return BatchSigner(Ring(development(AUDIT_BATCH), SigningKey))


def batch_verifier(*workloads: str) -> BatchVerifier:
    """Return what checks the batches of workloads, each with its own name as prefix; the shared key is accepted."""
    owners = workloads or ("risk-scoring", "gateway")
    rings = {workload: Ring(development(signing(workload)), SigningKey) for workload in owners}
    return BatchVerifier(rings, {f"{workload}/": workload for workload in owners}, Ring(development(AUDIT_BATCH), SigningKey))
