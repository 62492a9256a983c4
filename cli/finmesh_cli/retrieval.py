"""What the audit records of looks into documents, and of changes of them, say on a terminal. Names are not there: keyed hashes are."""

from __future__ import annotations

from collections.abc import Iterator

from finmesh.audit.v1.audit_record_pb2 import KnowledgeAction, KnowledgeChange, Retrieval, RetrievalKind, RetrievalStage, RetrievedPassage
from finmesh.common.v1.grade_pb2 import DataGrade

Lines = Iterator[tuple[str, str]]


def lines(retrieval: Retrieval) -> Lines:
    """Yield label and value of every line of a look."""
    kind = RetrievalKind.Name(retrieval.kind).removeprefix("RETRIEVAL_KIND_")
    stage = RetrievalStage.Name(retrieval.stage).removeprefix("RETRIEVAL_STAGE_")
    yield "look", f"{kind}  {stage}{'  interrupted' if retrieval.interrupted else ''}"
    access = retrieval.access_sha256.hex() or "-"
    yield "rights", f"clearance L{retrieval.clearance}, groups {retrieval.groups}, barriers {retrieval.barriers}, {access}"
    valid = f", in force at {retrieval.valid_at.ToJsonString()}" if retrieval.HasField("valid_at") else ""
    known = f", known at {retrieval.known_at_sequence}" if retrieval.known_at_sequence else ""
    yield "sequence", f"{retrieval.sequence}{valid}{known}"
    for label, digest in (
        ("question", retrieval.query_commitment),
        ("scope", retrieval.scope_commitment),
        ("conversation", retrieval.conversation_key),
        ("configuration", retrieval.configuration_sha256),
    ):
        if digest:
            yield label, digest.hex()
    if retrieval.answerer:
        yield "answerer", f"{retrieval.answerer}  {retrieval.answer_commitment.hex() or '-'}"
    for passage in retrieval.passages:
        yield "passage", _passage(passage)
    for key in retrieval.forbidden_keys:
        yield "forbidden", key.hex()
    if retrieval.refusal:
        yield "no answer", retrieval.refusal
    if retrieval.warnings:
        yield "warnings", ", ".join(retrieval.warnings)
    for generation in retrieval.generation_ids:
        yield "generation", generation


def _passage(passage: RetrievedPassage) -> str:
    version = passage.source_version or "-"
    digest = passage.text_sha256 or passage.text_commitment
    said = "not readable" if not passage.readable else "cited" if passage.cited else "shown"
    return f"{passage.document_key.hex()} version {version} #{passage.ordinal}  {said}  {digest.hex() or '-'}"


def change(changed: KnowledgeChange) -> Lines:
    """Yield label and value of every line of a change."""
    action = KnowledgeAction.Name(changed.action).removeprefix("KNOWLEDGE_ACTION_")
    parts = [action, changed.state]
    if changed.document_key:
        parts += [changed.document_key.hex(), f"version {changed.source_version or '-'}"]
    if changed.grade:
        parts.append(f"L{changed.grade}" if changed.grade in DataGrade.values() else "")
    if changed.sequence:
        parts.append(f"sequence {changed.sequence}")
    yield "knowledge", "  ".join(part for part in parts if part)
    if changed.whom_key:
        yield "whom", f"{changed.whom_key.hex()}  groups {changed.groups}, barriers {changed.barriers}"
    if changed.content_sha256:
        yield "content", changed.content_sha256.hex()
    yield "said", changed.commitment.hex() or "-"
