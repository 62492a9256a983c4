"""Quotes and their citations. What is quoted is the stored text, code point for code point."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from claims.evidence import Piece
from claims.facts import Fact

from rag.domain.answer import Citation, Sentence
from rag.domain.answering import support
from rag.domain.answering.candidate import Candidate
from rag.domain.answering.question import Question


def cite(candidate: Candidate, start: int, end: int, cell: str = "") -> Citation:
    """Return the citation of a stretch of a passage."""
    passage = candidate.passage
    return Citation(
        passage=passage.id,
        start=start,
        end=end,
        text_sha256=sha256(passage.text.encode()).digest(),
        page=passage.chunk.passage.page,
        cell=cell,
        superseded=passage.superseded,
    )


def quote(candidate: Candidate, piece: Piece, cell: str = "") -> Sentence:
    """Quote a sentence or a row as it is stored; a row says below which header it stands."""
    start, end = candidate.prepared.folded.source(piece.start, piece.end)
    text = candidate.passage.text[start:end]
    return Sentence(text, (cite(candidate, start, end, cell),))


def row(question: Question, candidate: Candidate, place: int, weighed: Mapping[str, float]) -> Sentence:
    """Quote a row with the labels of the cell that answers."""
    piece = candidate.units[place].piece
    fact = best_fact(question, piece, weighed)
    return quote(candidate, piece, "" if fact is None else f"{fact.row} / {fact.column}".strip(" /"))


def best_fact(question: Question, piece: Piece, weighed: Mapping[str, float]) -> Fact | None:
    """Return the number of a sentence or row that is asked for: of the right kind and period, under the label most alike."""
    kinds = question.kinds
    fitting = [fact for fact in piece.facts if not kinds or fact.value.kind in kinds]
    if question.periods:
        dated = [fact for fact in fitting if fact.period and any(support.covers(asked, fact.period) for asked in question.periods)]
        fitting = dated or ([] if piece.is_row else fitting)
    return max(
        fitting,
        key=lambda fact: sum(weight for term, weight in weighed.items() if question.stems.get(term, term) in fact.label),
        default=None,
    )
