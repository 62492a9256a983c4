"""Numbers that no passage states: a change, growth, sum or average over the periods of a question, computed from cited numbers of one row.

Only the calculator of `claims` computes, from numbers of one row or one sentence, each cited by itself; what differs in unit is never
mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from claims.calculate import CalculationError, Operand, Operation, calculate
from claims.evidence import Piece
from claims.facts import Fact
from claims.periods import Period
from claims.units import Kind

from rag.domain.answer import Citation, Derivation, Sentence
from rag.domain.answering import quoting, support
from rag.domain.answering.candidate import Candidate
from rag.domain.answering.question import Question
from rag.domain.answering.scoring import Scored

_WORDS = {
    Operation.DIFFERENCE: ("变动", "change"),
    Operation.GROWTH: ("增长率", "growth"),
    Operation.SUM: ("合计", "sum"),
    Operation.AVERAGE: ("平均", "average"),
}
_UNITS = {"CNY": "元", "percent": "%", "point": "个百分点"}
_NO_KIND = frozenset((Kind.MULTIPLE, Kind.AGE))


@dataclass(frozen=True, slots=True)
class _Stated:
    fact: Fact
    piece: Piece
    period: Period


def derive(question: Question, scored: Scored) -> Sentence | None:
    """Return the derived number with its operands, None where a period is missing or units differ."""
    if question.operation is None:
        return None
    for place in sorted(range(len(scored.units)), key=lambda place: -scored.units[place]):
        stated = _stated(question, scored.candidate.units[place].piece)
        if stated:
            return _sentence(question, question.operation, scored.candidate, stated)
    return None


def _stated(question: Question, piece: Piece) -> list[_Stated]:
    """Return one number for each period of the question, newest first, all of one row or sentence and one kind; none if one is missing."""
    found: list[_Stated] = []
    for asked in sorted(question.periods, key=lambda one: one.first, reverse=True):
        its = [fact for fact in piece.facts if fact.period is not None and support.covers(asked, fact.period)]
        its = [fact for fact in its if fact.value.kind not in _NO_KIND and (not found or fact.value.kind is found[0].fact.value.kind)]
        if not its:
            return []
        found.append(_Stated(its[0], piece, asked))
    return found if len({(one.fact.value.start, one.fact.value.end) for one in found}) == len(found) else []


def _sentence(question: Question, operation: Operation, one: Candidate, stated: Sequence[_Stated]) -> Sentence | None:
    chinese = question.is_chinese
    operands = [Operand(each.fact.value, _period(question, each.period), _cite(one, each)) for each in stated]
    try:
        derived = calculate(operation, operands)
    except CalculationError:
        return None
    result = _shown(derived.magnitude, derived.unit, chinese=chinese)
    said = [_said(one, each) for each in stated]
    label = stated[0].fact.row or ""
    subject = f"{label}：" if label and chinese else f"{label}: " if label else ""
    parts = ("，" if chinese else ", ").join(f"{operand.name} {text}" for operand, text in zip(operands, said, strict=True))
    word = _WORDS[operation][not chinese]
    text = f"{subject}{parts}；{word} {result}。" if chinese else f"{subject}{parts}; {word} {result}."
    return Sentence(text, tuple(operand.citation for operand in operands), Derivation(derived.formula, tuple(said), result))


def _cite(one: Candidate, stated: _Stated) -> Citation:
    start, end = _span(one, stated)
    return quoting.cite(one, start, end, f"{stated.fact.row} / {stated.fact.column}".strip(" /"))


def _span(one: Candidate, stated: _Stated) -> tuple[int, int]:
    at, value = stated.piece.start, stated.fact.value
    return one.prepared.folded.source(at + value.start, at + value.end)


def _said(one: Candidate, stated: _Stated) -> str:
    start, end = _span(one, stated)
    return one.passage.text[start:end].strip()


def _period(question: Question, period: Period) -> str:
    return question.folded[period.start : period.end]


def _shown(magnitude: Decimal, unit: str, *, chinese: bool) -> str:
    """Write a derived number in its base unit, rounded to two places."""
    rounded = magnitude.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    text = f"{rounded:,f}".rstrip("0").rstrip(".")
    if unit == "percent" or (chinese and unit in _UNITS):
        return text + _UNITS[unit]
    return f"{text} {unit}".strip()
