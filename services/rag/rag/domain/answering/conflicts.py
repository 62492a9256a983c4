"""Sources that give the same label, period and unit another value: who reads one of them should know of the other."""

from __future__ import annotations

from collections.abc import Sequence

from claims import compare, facts
from claims.compare import Match
from claims.facts import Fact

from rag.domain.answer import CONFLICTING_SOURCES, Warned
from rag.domain.answering import scoring
from rag.domain.answering.candidate import Candidate, Unit
from rag.domain.answering.question import Question

_SAME_LABEL = 0.8
_FEWEST_WORDS = 2


def found(question: Question, answer: Candidate, place: int, others: Sequence[Candidate]) -> tuple[Warned, ...]:
    """Return a warning where another passage states what the sentence at ``place`` states with another number.

    It must be a passage of the same document, title or product, or the question names none of these. Old wordings differ by nature.
    """
    unit = answer.units[place]
    names_nothing = not (question.names or question.products)
    warned: list[Warned] = []
    for other in others:
        if other.passage.id == answer.passage.id or not (names_nothing or _same_subject(answer, other)):
            continue
        if other.passage.superseded or answer.passage.superseded:
            continue
        said = next((text for theirs in other.units if (text := _differs(question, unit, theirs)) is not None), None)
        if said is not None:
            name = other.evidence.title
            message = f"{name}：{said}" if question.is_chinese else f"{name}: {said}"
            warned.append(Warned(CONFLICTING_SOURCES, message, (answer.passage.id, other.passage.id)))
    return tuple(warned)


def _same_subject(one: Candidate, two: Candidate) -> bool:
    """Whether both speak of the same: passages of one document, or documents of one title or product."""
    a, b = one.passage.version.submission, two.passage.version.submission
    return a.document_id == b.document_id or a.title == b.title or (bool(a.product) and a.product == b.product)


def _differs(question: Question, mine: Unit, theirs: Unit) -> str | None:
    for fact in mine.piece.facts:
        if question.kinds and fact.value.kind not in question.kinds:
            continue
        for other in theirs.piece.facts:
            if _same_label(fact, other) and compare.numbers(fact.value, other.value, mine.piece.text, theirs.piece.text) is Match.DIFFERENT:
                return theirs.piece.text.strip()
    return None


def _same_label(one: Fact, two: Fact) -> bool:
    if one.value.unit != two.value.unit or (one.period is None) != (two.period is None):
        return False
    if one.period is not None and two.period is not None and not one.period.same(two.period):
        return False
    mine = {term: weight for term, weight in one.label.items() if weight >= scoring.NEAR}
    yours = {term: weight for term, weight in two.label.items() if weight >= scoring.NEAR}
    return len(mine) >= _FEWEST_WORDS and facts.similarity(mine, yours) >= _SAME_LABEL and facts.similarity(yours, mine) >= _SAME_LABEL
