"""The sentences of passages that a sentence of a statement is held against: those that share most of its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

from claims import polarity, terms
from claims.evidence import Piece, Prepared

COVERED = 0.55  # of the statement's terms: less, and the passage speaks of something else
_TIE = 0.015
_NOWHERE = 0.6  # of the weight of a rare word: one that no sentence has
_WIDTHS = (1, 2, 3)
_WIDER = 0.04  # a wider stretch must add more than this share


@dataclass(frozen=True, slots=True)
class Window:
    """One to three neighbouring sentences of a passage."""

    passage: int
    pieces: tuple[Piece, ...]
    covered: float


def best(part: Piece, prepared: Sequence[Prepared]) -> list[Window]:
    """Return the windows that cover a sentence best, ties included; none where too little is covered.

    A word weighs more the fewer sentences have it: what tells one sentence from its neighbours decides.
    """
    weights = _weights(words(part), prepared)
    found = [window for number, passage in enumerate(prepared) for window in _windows(weights, number, passage, part)]
    if not found:
        return []
    found.sort(key=lambda window: (-_rank(window, part), len(window.pieces)))
    top = _rank(found[0], part)
    return [window for window in found if _rank(window, part) >= top - _TIE][:6]


def _weights(wanted: frozenset[str], prepared: Sequence[Prepared]) -> dict[str, float]:
    pieces = [piece.terms for passage in prepared for piece in passage.pieces]
    weights: dict[str, float] = {}
    for term in wanted:
        there = sum(term in one for one in pieces)
        weights[term] = log(1 + len(pieces) / (0.5 + max(1, there))) * (1.0 if there else _NOWHERE)
    return weights


def words(part: Piece) -> frozenset[str]:
    """Return the terms of a sentence; negations and directions are compared, not looked for."""
    return frozenset(term for term in part.terms - _cues(part.text) if not term.startswith("<")) or part.terms


def _cues(text: str) -> frozenset[str]:
    found = polarity.of(text)
    cut: set[str] = set()
    for denial in found.denials:
        left, right = max(0, denial.start - 1), min(len(text), denial.end + 1)
        cut |= terms.of(text[left : denial.end]) | terms.of(text[denial.start : right])
    return frozenset(cut)


def _rank(window: Window, part: Piece) -> float:
    return window.covered - _WIDER * (len(window.pieces) - 1) + (0.01 if _has_its_numbers(window, part) else 0.0)


def _has_its_numbers(window: Window, part: Piece) -> bool:
    mine = {abs(fact.value.magnitude) for fact in part.facts}
    return bool(mine) and mine <= {abs(fact.value.magnitude) for piece in window.pieces for fact in piece.facts}


def _windows(weights: dict[str, float], number: int, passage: Prepared, part: Piece) -> Iterator[Window]:
    wanted = frozenset(weights)
    if not wanted:  # nothing but numbers: any sentence that has them
        for piece in passage.pieces:
            window = Window(number, (piece,), 1.0)
            if _has_its_numbers(window, part):
                yield window
        return
    above, total = wanted & passage.context, sum(weights.values())
    shares = [wanted & (piece.terms | _cues(piece.text)) for piece in passage.pieces]
    for width in _WIDTHS:
        for start in range(len(passage.pieces) - width + 1):
            found = frozenset().union(*shares[start : start + width])
            if found and (found - above or above == wanted):
                covered = sum(weights[term] for term in found | above) / total
                if covered >= COVERED:
                    yield Window(number, passage.pieces[start : start + width], covered)
