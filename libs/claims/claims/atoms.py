"""What makes a sentence of a statement wrong beside its evidence: a number, a period, a clause or code, a denial, a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from claims import compare, folding, periods, polarity, segments, terms, wordings
from claims.compare import Match
from claims.evidence import Piece, Prepared, piece
from claims.facts import Fact, similarity
from claims.periods import Period
from claims.windows import Window

_SLACK = 0.15  # a label this much worse than the best beside it is another label
_ALIKE = 0.5
_NAME = re.compile(r"《([^》]{2,60})》|[“\"「]([^”\"」]{2,40})[”\"」]|(?<![.!?。\n] )(?<!^)\b([A-Z][A-Za-z&]+(?:\s[A-Z][A-Za-z&]+)*)")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a sentence is not supported; ``contradicts``: the evidence says otherwise, else it leaves it open."""

    reason: str
    contradicts: bool


def names(statement: str) -> frozenset[str]:
    """Return the names a statement uses, folded: titles, quoted words, capitalised words inside sentences."""
    found = {group for match in _NAME.finditer(statement) for group in match.groups() if group}
    return frozenset(folding.fold(name).text for name in found)


def split(part: Piece) -> list[Piece]:
    """Return the clauses of a sentence as sentences of their own; a later one keeps the words of the first, which say of what."""
    parts = [piece(part.text[start:end], start) for start, end in segments.clauses(part.text, 0, len(part.text))]
    parts = [one for one in parts if one.terms or one.facts]
    return [one if place == 0 else replace(one, terms=one.terms | parts[0].terms) for place, one in enumerate(parts)]


def values_fault(part: Piece, window: Window, passage: Prepared, _: frozenset[str]) -> Fault | None:
    """Every number stands in the evidence, under its own label and period."""
    theirs = [(fact, near) for near in window.pieces for fact in near.facts]
    for mine in part.facts:
        fault = _value_fault(mine, part, theirs, window, passage)
        if fault is not None:
            return fault
    return None


def _value_fault(mine: Fact, part: Piece, theirs: list[tuple[Fact, Piece]], window: Window, passage: Prepared) -> Fault | None:
    said = part.text[mine.value.start : mine.value.end].strip()
    clause = _clause(part, mine)
    compared = [(fact, near, compare.numbers(mine.value, fact.value, clause, _clause(near, fact))) for fact, near in theirs]
    comparable = [(fact, near, match) for fact, near, match in compared if match is not Match.OTHER]
    if not comparable:
        return Fault(f"no number like {said}", False)
    equal = [(fact, near) for fact, near, match in comparable if match is Match.EQUAL]
    equal = [(fact, near) for fact, near in equal if not _turned(clause, _clause(near, fact))]
    dated = [(fact, near) for fact, near in equal if _same_time(mine, fact, window, passage)]
    if not dated:
        why = f"{said} is of another period" if equal else f"{said} is not what it says"
        return Fault(why, True)
    spoken = max(len(part.terms & near.terms) for near in window.pieces)  # others that speak of it as much are heard as well
    compared += [
        (fact, near, compare.numbers(mine.value, fact.value, clause, _clause(near, fact)))
        for near in passage.pieces
        if near not in window.pieces and len(part.terms & near.terms) >= spoken
        for fact in near.facts
    ]
    comparable = [(fact, near, match) for fact, near, match in compared if match is not Match.OTHER]
    rivals = [
        (fact, near) for fact, near, _ in comparable if not _turned(clause, _clause(near, fact)) and _same_time(mine, fact, window, passage)
    ]
    best = max(_likeness(mine, part, fact, near) for fact, near in rivals)
    if max(_likeness(mine, part, fact, near) for fact, near in dated) < best - _SLACK:
        return Fault(f"{said} belongs to something else", True)
    return None


def _turned(mine: str, theirs: str) -> bool:
    """Whether one goes up and the other down."""
    one, two = (wordings.directions(text) for text in (mine, theirs))
    return bool(one) and bool(two) and not one & two


def _likeness(mine: Fact, part: Piece, theirs: Fact, near: Piece) -> float:
    if near.is_row:  # a row answers for its cells: words of the whole sentence may name row and column
        whole = dict.fromkeys(part.terms, 1.0)
        return similarity(whole, theirs.label)
    return similarity(mine.label, theirs.label)


def _clause(part: Piece, fact: Fact) -> str:
    if part.is_row:
        return f"{fact.row} {fact.column}"
    at = fact.value.start
    return next((part.text[one:two] for one, two in segments.clauses(part.text, 0, len(part.text)) if one <= at < two), part.text)


def _same_time(mine: Fact, theirs: Fact, window: Window, passage: Prepared) -> bool:
    if mine.period is None:
        return True
    if theirs.period is not None:
        return matches(mine.period, theirs.period) or _year_end(mine.period, theirs.period, window)
    return any(matches(mine.period, other) for other in _times(window, passage))


def matches(mine: Period, theirs: Period) -> bool:
    """Whether a stated period is the evidence's: the same days, or a year for the last day of it."""
    if mine.same(theirs):
        return True
    year = mine.first[1:] == (1, 1) and mine.last[1:] == (12, 31) and mine.has_year
    return year and theirs.first == theirs.last == mine.last


def _year_end(mine: Period, theirs: Period, window: Window) -> bool:
    """A day of the year that a column names, where the table says which day that is (years ended September 30)."""
    if mine.first[0] != theirs.first[0] or not (mine.first == mine.last or theirs.first == theirs.last):
        return False
    day = mine if mine.first == mine.last else theirs
    year = theirs if day is mine else mine
    if year.first[1:] != (1, 1) or year.last[1:] != (12, 31):
        return False
    days = (other for near in window.pieces if near.is_row for other in periods.find(near.header))
    return any(other.first == other.last and other.first[1:] == day.first[1:] for other in days)


def _times(window: Window, passage: Prepared) -> list[Period]:
    found = [period for near in window.pieces for period in near.periods]
    first = window.pieces[0].start
    before = [period for near in passage.pieces if near.start < first for period in near.periods]
    return found or [*before[-3:], *passage.context_periods]


def periods_fault(part: Piece, window: Window, passage: Prepared, _: frozenset[str]) -> Fault | None:
    """Every period stands in the evidence or above it; of two in one sentence, the one beside the same words."""
    here = [period for near in window.pieces for period in near.periods]
    above = [*_times(window, passage), *passage.context_periods]
    for mine in part.periods:
        if not any(matches(mine, other) or _year_end(mine, other, window) for other in here or above):
            if here and any(matches(mine, other) for other in passage.context_periods) and not part.facts:
                continue
            return Fault(f"{part.text[mine.start : mine.end]} is another period", bool(here or above))
        if not any(fact.period == mine for fact in part.facts) and _swapped(mine, part, window):
            return Fault(f"{part.text[mine.start : mine.end]} belongs to something else", True)
    if len(window.pieces) == 1 and (lost := _lost(part, window.pieces[0])) is not None:
        return Fault(f"{part.text[lost.start : lost.end]} stands for another period", True)
    return None


def _lost(part: Piece, near: Piece) -> Period | None:
    """Return a period that a statement names once more than its evidence does, where the evidence names another instead (2019 and 2019)."""
    free = list(near.periods)
    lost: list[Period] = []
    for same in (Period.same, matches):
        lost = [mine for mine in (part.periods if same is Period.same else lost) if not _taken(mine, free, same)]
    return lost[0] if lost and free and not near.is_row else None


def _taken(mine: Period, free: list[Period], same: Callable[[Period, Period], bool]) -> bool:
    match = next((other for other in free if same(mine, other)), None)
    if match is not None:
        free.remove(match)
    return match is not None


def _swapped(mine: Period, part: Piece, window: Window) -> bool:
    """Whether another date of the evidence stands beside the words that this one stands beside."""
    label = _beside(part, mine)
    scored = [(similarity(label, _beside(near, other)), other) for near in window.pieces if not near.is_row for other in near.periods]
    if len(scored) < 2 or not label:
        return False
    best = max(score for score, _ in scored)
    return max((score for score, other in scored if matches(mine, other)), default=best) < best - _SLACK


def _beside(part: Piece, period: Period) -> dict[str, float]:
    one, two = next(
        ((one, two) for one, two in segments.clauses(part.text, 0, len(part.text)) if one <= period.start < two), (0, len(part.text))
    )
    before = max([one, *(other.end for other in part.periods if other.end <= period.start)])
    after = min([two, *(other.start for other in part.periods if other.start >= period.end)])
    return dict.fromkeys(terms.of(part.text[before : period.start]) | terms.of(part.text[period.end : max(after, period.end)]), 1.0)


def references_fault(part: Piece, window: Window, passage: Prepared, _: frozenset[str]) -> Fault | None:
    """Every clause and code stands in the evidence or above it."""
    here = {reference.key for near in window.pieces for reference in near.references}
    all_of_it = {reference.key for near in passage.pieces for reference in near.references}
    for mine in part.references:
        if mine.key in here or mine.key in all_of_it:
            continue
        bare = re.sub(r"[^0-9.]", "", mine.key) or mine.key
        if re.search(rf"(?<![0-9.]){re.escape(bare)}(?![0-9])", passage.context_text + "\n" + passage.folded.text):
            continue
        same_kind = any(reference.mark is mine.mark for near in window.pieces for reference in near.references)
        return Fault(f"{part.text[mine.start : mine.end]} is not in it", same_kind)
    return None


def polarity_fault(part: Piece, window: Window, passage: Prepared, _: frozenset[str]) -> Fault | None:
    """What a clause denies, the clause of the evidence that speaks of the same denies as well, and the other way round."""
    theirs = [clause for near in window.pieces for clause in _clauses(near)]
    for mine in _clauses(part):
        wanted = _plain(mine)
        if not wanted:
            continue
        scored = [(len(wanted & _plain(other)) / len(wanted), other) for other in theirs]
        top = max((score for score, _ in scored), default=0.0)
        if top < _ALIKE:
            whole = " ".join(near.text for near in window.pieces)
            denied = polarity.differs(mine, whole) if polarity.of(mine).denials else ""
            if denied:
                return Fault(denied, False)
            continue
        found = [polarity.differs(mine, other) for score, other in scored if score >= top - 0.01]
        if all(found):
            return Fault(found[0], True)
    if len(window.pieces) == 1 and (turned := polarity.counts_differ(part.text, window.pieces[0].text)):
        return Fault(turned, True)
    return None


def _clauses(part: Piece) -> list[str]:
    if part.is_row:
        return [part.text]
    return [part.text[one:two] for one, two in segments.clauses(part.text, 0, len(part.text))]


def _plain(clause: str) -> frozenset[str]:
    cut = [(denial.start, denial.end) for denial in polarity.of(clause).denials]
    return terms.of(clause, cut)


def names_fault(part: Piece, window: Window, passage: Prepared, known: frozenset[str]) -> Fault | None:
    """Every name stands in the passage or above it."""
    spans = [(fact.value.start, fact.value.end) for fact in part.facts] + [(one.start, one.end) for one in part.periods]
    words = "|".join(part.text[start:end] for start, end in terms.gaps(len(part.text), spans))
    for name in known:
        if name in words and name not in passage.folded.text and name not in passage.context_text:
            return Fault(f"{name} is not named", False)
    return None
