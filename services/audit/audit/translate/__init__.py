"""Protobuf and the domain, both ways. Record bytes are read here and never written: the leaf is what was received."""

from finmesh.audit.v1 import audit_service_pb2 as pb
from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from google.protobuf.message import DecodeError
from meshkit.audit.batch import BatchVerifier
from meshkit.tenants import is_tenant
from translog.entries import Keys, Kind
from translog.reader import Leaf

from audit.domain.ids import are_ids, is_id
from audit.domain.message import Envelope, UnusableError
from audit.translate.plaintext import Plaintext

_KINDS = {
    Kind.RECORD: pb.LEAF_KIND_RECORD,
    Kind.CONFLICT: pb.LEAF_KIND_CONFLICT,
    Kind.POISON: pb.LEAF_KIND_POISON,
    Kind.GAP: pb.LEAF_KIND_GAP,
    Kind.POSITION: pb.LEAF_KIND_POSITION,
}
_SIGNED_64 = 1 << 63


class ProtobufBatchCodec:
    """Reads envelopes and records. ``verifier`` None: signatures are not asked for."""

    def __init__(self, verifier: BatchVerifier | None) -> None:
        self._verifier = verifier
        self._plaintext = Plaintext()

    def envelope(self, value: bytes) -> Envelope:
        """Return the content of a message; raises UnusableError (NOT_A_BATCH, ENVELOPE_MALFORMED, BatchVerifier's)"""
        try:
            batch = AuditBatch.FromString(value)
        except (DecodeError, UnicodeDecodeError):
            raise UnusableError("NOT_A_BATCH") from None
        if not is_id(batch.producer) or batch.epoch >= _SIGNED_64 or batch.sequence >= _SIGNED_64:
            raise UnusableError("ENVELOPE_MALFORMED")
        problem = self._verifier.problem(batch) if self._verifier else ""
        if problem:
            raise UnusableError(problem)
        return Envelope(batch.producer, batch.epoch, batch.sequence, tuple(batch.records))

    def keys_of(self, record: bytes) -> Keys:
        """Return what a record is found by; raises UnusableError (NOT_A_RECORD, RECORD_MALFORMED, PLAINTEXT_IDENTIFIER)."""
        try:
            message = AuditRecord.FromString(record)
        except (DecodeError, UnicodeDecodeError):
            raise UnusableError("NOT_A_RECORD") from None
        event_id, request_id, decision_id, tenant = message.audit_record_id, message.request_id, message.decision_id, message.tenant
        if not are_ids(event_id, request_id, decision_id) or not is_tenant(tenant):
            raise UnusableError("RECORD_MALFORMED")
        if self._plaintext.in_record(message, record):
            raise UnusableError("PLAINTEXT_IDENTIFIER")
        return Keys(event_id, request_id, decision_id, tenant)


def leaf_message(leaf: Leaf) -> pb.Leaf:
    """Return a leaf as the API shows it."""
    message = pb.Leaf(index=leaf.index, kind=_KINDS[leaf.kind], body=leaf.body, leaf_hash=leaf.leaf_hash)
    message.received_time.FromMilliseconds(leaf.received_ms)
    return message
