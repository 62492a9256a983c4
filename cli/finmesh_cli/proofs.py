"""Proofs of the audit log, checked here and not believed: the arithmetic is translog's, the answers are the gateway's."""

from __future__ import annotations

from pathlib import Path

from finmesh.audit.v1 import audit_record_pb2
from finmesh.audit.v1 import audit_service_pb2 as pb
from finmesh.risk.v1 import decision_pb2
from google.protobuf.message import DecodeError
from translog.bundle import inclusion_bundle, verify_inclusion_bundle
from translog.checkpoint import Checkpoint
from translog.entries import Kind, kind_of
from translog.errors import MalformedError
from translog.note import Verifier

from finmesh_cli import files
from finmesh_cli.failures import TamperError, UsageError

_MAX_KEY_BYTES = 4096


def verifier(text_or_file: str) -> Verifier:
    """Return the log's public key from key text (``name+id+key``) or from a file that holds it. Raises UsageError, MalformedError."""
    if "+" in text_or_file and not Path(text_or_file).exists():
        return Verifier.parse(text_or_file.strip())
    try:
        return Verifier.parse(files.text(Path(text_or_file), _MAX_KEY_BYTES).strip())
    except UsageError as error:
        raise UsageError(f"no log key: {error}") from None


def bundle_of(response: pb.GetInclusionProofResponse) -> str:
    """Return the proof as a bundle that `finmesh verify inclusion` reads."""
    return inclusion_bundle(leaf=response.leaf.body, index=response.leaf.index, hashes=list(response.hashes), note=response.checkpoint)


def check_inclusion(leaf: pb.Leaf, response: pb.GetInclusionProofResponse, key: Verifier) -> Checkpoint:
    """Return the checkpoint under which exactly this leaf is in the log. Raises TamperError, SignatureError, ProofError."""
    if (response.leaf.index, response.leaf.body) != (leaf.index, leaf.body):
        raise TamperError(f"the proof is for another leaf than record {leaf.index} that was listed")
    checkpoint, _, _ = verify_inclusion_bundle(bundle_of(response), [key])
    if checkpoint.size != response.tree_size:
        raise TamperError(f"the proof names a tree of {response.tree_size} leaves, its checkpoint one of {checkpoint.size}")
    return checkpoint


def record_of(body: bytes) -> audit_record_pb2.AuditRecord | None:
    """Return the audit record of a leaf; None for a leaf that the log wrote itself, or that holds something else."""
    try:
        return audit_record_pb2.AuditRecord.FromString(body) if kind_of(body) is Kind.RECORD else None
    except (DecodeError, MalformedError):
        return None


def check_agreement(decision: decision_pb2.TransactionDecided, leaf: pb.Leaf) -> audit_record_pb2.AuditRecord:
    """Return the audit record of a leaf that says the same as the decision. Raises TamperError."""
    record = record_of(leaf.body)
    if record is None:
        raise TamperError(f"leaf {leaf.index} is no audit record")
    versions = decision.versions
    pairs = {
        "decision": (record.decision_id, decision.decision_id),
        "tenant": (record.tenant, decision.tenant),
        "outcome": (record.outcome, decision_pb2.Outcome.Name(decision.outcome)),
        "reasons": (list(record.reason_codes), [reason.code for reason in decision.reasons]),
        "model": (record.model_version, versions.model_version),
        "rules": (record.rule_set_version, versions.rule_set_version),
        "model digest": (record.model_digest, versions.model_digest),
    }
    if record.model_sha256:
        pairs["model file"] = (record.model_sha256.hex()[:16], versions.model_digest)
    for what, (audited, decided) in pairs.items():
        if audited != decided:
            raise TamperError(f"audit record {record.audit_record_id} and decision differ in {what}: {audited} and {decided}")
    return record
