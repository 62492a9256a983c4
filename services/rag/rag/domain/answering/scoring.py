"""How well a passage answers a question, without any label: shares of the question's words, the rarer the heavier.

Three shares, averaged: of the passage with its headings, of its best sentence or row, and of what it begins with. Words weigh by the square
root of their IDF: with the IDF itself one odd word of a question decides everything. For a question that asks for a number the best
sentence
is the best one that has such a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

from claims.facts import Fact

from rag.domain.answering.candidate import Candidate, Unit
from rag.domain.answering.question import Expects, Question

NEAR = 0.5  # weight in a label from which a word stands beside its number
_FOCUS = 0.5
_DEFINES = re.compile(r"指|[:：]|定义|含义|称为|即为|\bmeans?\b|refers? to|\bdefin|\bis an?\b|\bare\b")
_LISTS = re.compile(r"[、;；①-⑳]|[(（][0-9一二三四五六七八九十a-z]{1,3}[)）]|, | and |和|或|及")
_SHORT = re.compile(r"[\u4e00-\u9fff]{2}")
UNKNOWN = 0.5  # of the weight of a word that nothing readable has: often two halves of words side by side
Idf = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate, how much of the question it covers, and its sentences by how much they cover, in the order of the text."""

    candidate: Candidate
    covered: float
    units: tuple[float, ...]
    best: int
    has_kind: bool


def weights(question: Question, idf: Idf, known: frozenset[str]) -> Mapping[str, float]:
    """Return the weights of a question's words, but those that a name accounts for."""
    never = idf("")
    left = [term for term in question.terms if term not in known] or list(question.terms)
    return {term: sqrt(max(0.0, idf(term))) * (UNKNOWN if idf(term) >= never else 1.0) for term in left}


def score(question: Question, candidate: Candidate, weighed: Mapping[str, float]) -> Scored:
    """Score one candidate."""
    total = sum(weighed.values()) or 1.0

    def share(found: frozenset[str]) -> float:
        return sum(weight for term, weight in weighed.items() if term in found) / total

    units = tuple(share(unit.terms) for unit in candidate.units)
    wanted = [answers(question, unit) for unit in candidate.units]
    has_kind = any(wanted)
    eligible = [place for place in range(len(units)) if wanted[place] or not has_kind]
    best = max(eligible, key=lambda place: (units[place], -place), default=-1)
    whole = share(frozenset().union(candidate.above, *(unit.terms for unit in candidate.units)))
    covered = (whole + (units[best] if best >= 0 else 0.0) + share(candidate.head)) / 3
    return Scored(candidate, covered, units, best, has_kind)


def answers(question: Question, unit: Unit) -> bool:
    """Whether a sentence or row has what a question expects; true for what no form tells."""
    if question.expects is Expects.DATE:
        return any(period not in question.periods for period in unit.piece.periods) or bool(unit.piece.facts)
    kinds = question.kinds
    return not kinds or any(fact.value.kind in kinds for fact in unit.piece.facts)


def likeness(fact: Fact, unit: Unit, candidate: Candidate, weighed: Mapping[str, float], stems: Mapping[str, str]) -> float:
    """Return how much of what is asked about stands in the label of a number, or above it; elsewhere in its sentence counts half."""
    total = sum(weighed.values())
    there = 0.0
    for term, weight in weighed.items():
        if stems.get(term, term) in fact.label or term in candidate.above:
            there += weight
        elif term in unit.terms:
            there += weight / 2
    return there / total if total else 0.0


def abbreviated(scored: Scored, weighed: Mapping[str, float]) -> float:
    """Return how much of a question stands in the best sentence as what it is short for: 单户 for 单一客户, its characters in order.

    It decides between passages that answer; whether one does it never decides.
    """
    if scored.best < 0:
        return 0.0
    text, known = scored.candidate.units[scored.best].piece.text, scored.candidate.units[scored.best].terms
    short = {term: weight for term, weight in weighed.items() if _SHORT.fullmatch(term) and term not in known}
    found = sum(weight for term, weight in short.items() if re.search(f"{term[0]}[\u4e00-\u9fff]{{1,3}}{term[1]}", text))
    return found / (3 * sum(weighed.values())) if found else 0.0


def defines(question: Question, scored: Scored, weighed: Mapping[str, float]) -> bool:
    """Whether a passage says what something is: a sentence of definition with what is asked about, or that is what it begins with."""
    total = sum(weighed.values()) or 1.0
    if sum(weight for term, weight in weighed.items() if term in scored.candidate.head) >= _FOCUS * total:
        return True
    return any(
        share >= _FOCUS and _DEFINES.search(unit.piece.text) for unit, share in zip(scored.candidate.units, scored.units, strict=True)
    )


def enumerates(scored: Scored) -> bool:
    """Whether a passage lists something."""
    return sum(len(_LISTS.findall(unit.piece.text)) for unit in scored.candidate.units) > 1 or any(
        unit.piece.is_row for unit in scored.candidate.units
    )
