"""Clauses and comparisons as messages."""

from __future__ import annotations

from finmesh.rag.v1 import rag_service_pb2 as pb

from rag.domain.answering.clauses import Clause, Kind, Listed
from rag.domain.answering.compare import Change, Comparison, Difference, Side
from rag.domain.document import FOREVER, AsOf
from rag.translate import answers
from rag.translate.times import micros
from rag.translate.violations import wrong

_KINDS = {
    pb.CLAUSE_KIND_EXCLUSION: Kind.EXCLUSION,
    pb.CLAUSE_KIND_COVERAGE: Kind.COVERAGE,
    pb.CLAUSE_KIND_DEFINITION: Kind.DEFINITION,
    pb.CLAUSE_KIND_HEADING: Kind.HEADING,
}
_DIFFERENCES = {
    Difference.ADDED: pb.DIFFERENCE_KIND_ADDED,
    Difference.REMOVED: pb.DIFFERENCE_KIND_REMOVED,
    Difference.CHANGED: pb.DIFFERENCE_KIND_CHANGED,
    Difference.MOVED: pb.DIFFERENCE_KIND_MOVED,
}
_MAX_NAME, _MAX_HEADING = 500, 200


def kind(request: pb.ListClausesRequest) -> Kind:
    """Return what is listed. Raises InvalidArgument (CLAUSE_KIND_INVALID)."""
    found = _KINDS.get(request.kind)
    if found is None:
        raise wrong("kind", "is a known kind of clause", "CLAUSE_KIND_INVALID")
    if found is Kind.HEADING and not 1 <= len(request.heading.strip()) <= _MAX_HEADING:
        raise wrong("heading", f"has 1 to {_MAX_HEADING} characters", "CLAUSE_KIND_INVALID")
    return found


def name(text: str, field: str = "document") -> str:
    """Return a document's id or title. Raises InvalidArgument (DOCUMENT_NAME_INVALID)."""
    if not 1 <= len(text) <= _MAX_NAME:
        raise wrong(field, f"has 1 to {_MAX_NAME} characters", "DOCUMENT_NAME_INVALID")
    return text


def as_of(request: pb.ListClausesRequest, now_us: int) -> AsOf | None:
    """Return the times that are asked for, None for now. Raises InvalidArgument (TIME_INVALID, SEQUENCE_INVALID)."""
    if not request.HasField("as_of"):
        return None
    asked = request.as_of
    valid_at_us = micros(asked.valid_at, "as_of.valid_at") if asked.HasField("valid_at") else now_us
    return AsOf(valid_at_us, answers.sequence(asked.known_at_sequence, "as_of.known_at_sequence") or FOREVER - 1)


def side(message: pb.Side, field: str) -> Side:
    """Return one side of a comparison. Raises InvalidArgument."""
    return Side(name(message.document, f"{field}.document"), message.source_version)


def clause_message(clause: Clause) -> pb.Clause:
    """Return a clause."""
    return pb.Clause(
        number=clause.number,
        text=clause.text,
        citation=answers.citation(clause.citation),
        endorsement_document_id=clause.endorsement,
        replaced_by=clause.replaced_by,
    )


def listed_message(listed: Listed) -> pb.ListClausesResponse:
    """Return all clauses."""
    return pb.ListClausesResponse(
        clauses=map(clause_message, listed.clauses), total=len(listed.clauses), warnings=map(answers.warning, listed.warnings)
    )


def comparison_message(comparison: Comparison) -> pb.CompareResponse:
    """Return all differences."""
    return pb.CompareResponse(differences=map(_difference, comparison.changes), equal=comparison.equal)


def _difference(change: Change) -> pb.Difference:
    message = pb.Difference(kind=_DIFFERENCES[change.kind], values=change.values)
    if change.left is not None:
        message.left.CopyFrom(clause_message(change.left))
    if change.right is not None:
        message.right.CopyFrom(clause_message(change.right))
    return message
