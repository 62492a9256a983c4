"""Searches and lists of documents, as messages and back."""

from __future__ import annotations

from finmesh.rag.v1 import rag_service_pb2 as pb
from meshkit.rpc.metadata import CallerFacts

from rag.domain.retrieval import Found, Pipeline
from rag.domain.searching import Searched
from rag.translate import answers
from rag.translate.answers import Grade
from rag.translate.times import micros
from rag.translate.violations import wrong

USUAL_LIMIT, MAX_LIMIT, USUAL_PAGE, MAX_EXPAND = 10, 200, 50, 10
_PIPELINES = {
    pb.PIPELINE_UNSPECIFIED: Pipeline.FUSED,
    pb.PIPELINE_FUSED: Pipeline.FUSED,
    pb.PIPELINE_UNSCOPED: Pipeline.UNSCOPED,
    pb.PIPELINE_LEXICAL: Pipeline.LEXICAL,
    pb.PIPELINE_DENSE: Pipeline.DENSE,
}


def searched(request: pb.SearchRequest, facts: CallerFacts) -> Searched:
    """Return a search.

    Raises InvalidArgument (QUESTION_INVALID, SCOPE_INVALID, TIME_INVALID, LIMIT_INVALID, PIPELINE_INVALID, EXPAND_INVALID).
    """
    if request.pipeline not in _PIPELINES:
        raise wrong("pipeline", "is a known pipeline", "PIPELINE_INVALID")
    return Searched(
        caller=answers.caller(request.tenant, facts),
        question=answers.question(request.question),
        scenario=request.scenario or facts.scenario,
        grade=answers.grade(request.grade),
        scope=answers.scope(request.scope),
        valid_at_us=micros(request.as_of.valid_at, "as_of.valid_at") if request.as_of.HasField("valid_at") else None,
        known_at_seq=answers.sequence(request.as_of.known_at_sequence, "as_of.known_at_sequence"),
        limit=limit(request.limit, "limit", USUAL_LIMIT),
        explain=request.explain,
        pipeline=_PIPELINES[request.pipeline],
        min_sequence=answers.sequence(request.min_sequence, "min_sequence"),
        collapse_records=request.collapse_records,
        expand=_expand(request.expand),
    )


def found_message(found: Found, grade: Grade, now_us: int) -> pb.SearchResponse:
    """Return what was found, for its reader."""
    explained = [each.explained for each in found.passages if each.explained is not None]
    return pb.SearchResponse(
        passages=[answers.passage(each, grade(each), now_us, 0 if each.added else rank) for rank, each in enumerate(found.passages, 1)],
        explanations=[
            pb.Explanation(lexical_rank=each.lexical_rank, dense_rank=each.dense_rank, scope=each.scope, expanded=each.expanded)
            for each in explained
        ],
        sequence=found.sequence,
        degradations=found.degradations,
        resolved=answers.scope_message(found.resolved),
    )


def limit(stated: int, field: str, usual: int) -> int:
    """Return how many are asked for. Raises InvalidArgument (LIMIT_INVALID)."""
    if stated > MAX_LIMIT:
        raise wrong(field, f"is at most {MAX_LIMIT}", "LIMIT_INVALID")
    return stated or usual


def _expand(stated: int) -> int:
    if stated > MAX_EXPAND:
        raise wrong("expand", f"is at most {MAX_EXPAND}", "EXPAND_INVALID")
    return stated
