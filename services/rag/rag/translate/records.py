"""Audit records of looks into documents and of changes. Ids of documents may hold personal data: they become keyed hashes.

Keys of documents are of the commitment ring, so whoever holds it can say which document a record means, and nobody else. A text of grade
L1 or L2 has its digest; above, a digest of a short text could be guessed, so it is a keyed commitment (security.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from finmesh.audit.v1 import audit_record_pb2 as pb
from meshkit.audit.denials import principal_key
from meshkit.audit.records import AuditRecords
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.ring import Ring

from rag.domain.caller import Caller
from rag.domain.document import FOREVER
from rag.domain.evidence import Act, ChangeAct, Changed, Looked, Stage, Told
from rag.translate.times import set_micros

_KEY_BYTES = 16
_MAX_NUMBER = 999_999_999  # a number of more digits may be somebody's
_MAX_PASSAGES = 200
_KINDS = {act: pb.RetrievalKind.Value(f"RETRIEVAL_KIND_{act}") for act in Act}
_STAGES = {stage: pb.RetrievalStage.Value(f"RETRIEVAL_STAGE_{stage}") for stage in Stage}
_ACTIONS = {act: pb.KnowledgeAction.Value(f"KNOWLEDGE_ACTION_{act}") for act in ChangeAct}


class RecordCodec:
    """See ``ports.accounts.RecordCodec``. ``commitments``: the ring of commitments to questions and answers, and of names."""

    def __init__(self, records: AuditRecords, commitments: Ring[CommitmentKey]) -> None:
        self._records = records
        self._commitments = commitments

    def looked(self, facts: Looked) -> tuple[str, bytes]:
        """Return id and bytes of the record of a look."""
        key, tenant = self._commitments.primary, facts.caller.tenant
        record = self._begun(key, facts.caller, facts.at_us)
        record.scenario, record.grade = facts.scenario, facts.grade  # type: ignore[assignment]
        record.degradations.extend(facts.degradations)
        told = record.retrieval
        told.kind, told.stage = _KINDS[facts.act], _STAGES[facts.stage]  # type: ignore[assignment]
        told.clearance, told.groups, told.barriers = facts.reader.clearance, len(facts.reader.groups), len(facts.reader.barriers)
        told.access_sha256 = sha256(",".join(map(str, sorted(facts.access_ids))).encode()).digest()
        told.sequence = facts.sequence
        set_micros(told.valid_at, facts.valid_at_us)
        if facts.known_at_seq < FOREVER:
            told.known_at_sequence = facts.known_at_seq
        if facts.question:
            told.query_commitment = key.commit(_bytes(facts.question))
        if facts.scope:
            told.scope_commitment = key.commit(_json([facts.scope.documents, facts.scope.products]))
        if facts.conversation_id:
            told.conversation_key = _key(key, "conversation", tenant, facts.caller.principal, facts.conversation_id)
        told.answerer, told.refusal, told.interrupted = facts.answerer, facts.refusal, facts.interrupted
        if facts.answer:
            told.answer_commitment = key.commit(_bytes(facts.answer))
        told.passages.extend(_passage(key, tenant, each) for each in facts.passages[:_MAX_PASSAGES])
        told.forbidden_keys.extend(_key(key, "document", tenant, each) for each in facts.forbidden)
        told.warnings.extend(dict.fromkeys(facts.warnings))
        told.configuration_sha256 = facts.configuration
        told.generation_ids.extend(facts.generation_ids)
        return record.audit_record_id, record.SerializeToString()

    def changed(self, facts: Changed) -> tuple[str, bytes]:
        """Return id and bytes of the record of a change."""
        key, tenant = self._commitments.primary, facts.caller.tenant
        record = self._begun(key, facts.caller, facts.at_us)
        record.scenario = "knowledge"
        change = record.change.knowledge
        change.action, change.sequence = _ACTIONS[facts.act], facts.sequence  # type: ignore[assignment]
        if facts.document_id:
            change.document_key = _key(key, "document", tenant, facts.document_id)
            change.source_version = _number(facts.source_version)
        change.content_sha256, change.state = facts.content_sha256, facts.state
        change.grade = facts.grade  # type: ignore[assignment]
        if facts.whom:
            change.whom_key = principal_key(key, tenant, facts.whom)
        change.groups, change.barriers = len(facts.groups), len(facts.barriers)
        said = [[facts.document_id, facts.source_version], facts.whom, sorted(facts.groups), sorted(facts.barriers), facts.why]
        change.commitment = key.commit(_json(said))
        return record.audit_record_id, record.SerializeToString()

    def _begun(self, key: CommitmentKey, caller: Caller, at_us: int) -> pb.AuditRecord:
        record = self._records.new(caller.tenant)
        record.event_time.FromMicroseconds(at_us)
        record.purpose, record.policy_hash, record.request_id = caller.purpose, caller.policy_hash, caller.request_id
        record.commitment_key_id = key.id
        if caller.principal:
            record.principal_key = principal_key(key, caller.tenant, caller.principal)
        return record


def document_key(key: CommitmentKey, tenant: str, document_id: str) -> bytes:
    """Return what stands for a document in records, 16 bytes."""
    return _key(key, "document", tenant, document_id)


def _passage(key: CommitmentKey, tenant: str, told: Told) -> pb.RetrievedPassage:
    passage = pb.RetrievedPassage(
        document_key=document_key(key, tenant, told.id.document_id),
        source_version=_number(told.id.source_version),
        ordinal=told.id.ordinal,
        passage_key=_key(key, "passage", tenant, str(told.id)),
        cited=told.cited,
        readable=told.readable,
    )
    if told.readable and told.grade <= 2:
        passage.text_sha256 = sha256(_bytes(told.text)).digest()
    elif told.readable:
        passage.text_commitment = key.commit(_bytes(told.text))
    return passage


def _key(key: CommitmentKey, what: str, *names: str) -> bytes:
    return key.commit(_bytes("\0".join(("rag", what, *names))))[:_KEY_BYTES]


def _number(value: int) -> int:
    return value if value <= _MAX_NUMBER else 0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _json(content: Iterable[object]) -> bytes:
    return _bytes(json.dumps(list(content), ensure_ascii=False, separators=(",", ":")))
