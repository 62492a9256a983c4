"""Two versions, or two products, clause by clause: added, removed, changed with the values that changed, moved to another number.

Clauses of the same number belong together when they speak of the same, else those that are most alike; what is left was added or removed.
Equal
means equal once folded: spaces and full width are no change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest

from claims import folding, polarity, terms, values
from claims import periods as dates

from rag.domain.answering.clauses import Clause, canonical

_ALIKE, _SAME_NUMBER = 0.5, 0.25  # share of common terms: of clauses of other numbers, and of the same number
_NUMBER = re.compile(
    r"^\s*(?:第\s?[0-9零一二三四五六七八九十百]{1,7}\s?条|[0-9]{1,3}(?:\.[0-9]{1,3}){0,4}[.、]?|(?:article|section|clause)\s[0-9.]+)\s*"
)


class Difference(Enum):
    """What became of a clause."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Side:
    """A document by id or exact title; the version in force when ``source_version`` is 0."""

    document: str
    source_version: int


@dataclass(frozen=True, slots=True)
class Change:
    """A difference; ``values`` are those that changed, as written: 90日 → 60日."""

    kind: Difference
    left: Clause | None
    right: Clause | None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, in the right side's order with removed ones where they stood, and how many clauses are equal."""

    changes: tuple[Change, ...]
    equal: int


@dataclass(frozen=True, slots=True)
class _Side:
    clause: Clause
    plain: str
    terms: frozenset[str]
    number: str


def compare(left: Sequence[Clause], right: Sequence[Clause]) -> Comparison:
    """Compare two sides, each in its document's order."""
    ours, theirs = [_side(one) for one in left], [_side(one) for one in right]
    pairs = _paired(ours, theirs)
    changes: list[tuple[float, Change]] = []
    equal = 0
    for place, one in enumerate(theirs):
        match = pairs.get(place)
        if match is None:
            changes.append((place, Change(Difference.ADDED, None, one.clause)))
        elif ours[match].plain != one.plain:
            changes.append((place, Change(Difference.CHANGED, ours[match].clause, one.clause, _values(ours[match], one))))
        elif ours[match].number != one.number:
            changes.append((place, Change(Difference.MOVED, ours[match].clause, one.clause)))
        else:
            equal += 1
    kept = {match: place for place, match in pairs.items()}
    for number, one in enumerate(ours):
        if number not in kept:
            before = next((kept[earlier] for earlier in reversed(range(number)) if earlier in kept), -1)
            changes.append((before + 0.5, Change(Difference.REMOVED, one.clause, None)))
    return Comparison(tuple(change for _, change in sorted(changes, key=lambda item: item[0])), equal)


def _side(clause: Clause) -> _Side:
    folded = _NUMBER.sub("", folding.fold(clause.text).text)
    plain = re.sub(r"\s+", "" if re.search("[\u4e00-\u9fff]", folded) else " ", folded).strip()
    return _Side(clause, plain, terms.of(folded), canonical(clause.number) if clause.number else "")


def _paired(ours: Sequence[_Side], theirs: Sequence[_Side]) -> dict[int, int]:
    """Return which clause on the left each on the right is: equal texts first, then equal numbers that are alike, then what is most
    alike."""
    pairs: dict[int, int] = {}
    free = set(range(len(ours)))

    def take(place: int, match: int) -> None:
        pairs[place] = match
        free.discard(match)

    for same_number in (True, False):
        for place, one in enumerate(theirs):
            match = next(
                (o for o in sorted(free) if ours[o].plain == one.plain and (not same_number or ours[o].number == one.number)), None
            )
            if place not in pairs and match is not None:
                take(place, match)
    for place, one in enumerate(theirs):
        match = next(
            (o for o in sorted(free) if one.number and ours[o].number == one.number and _alike(ours[o], one) >= _SAME_NUMBER), None
        )
        if place not in pairs and match is not None:
            take(place, match)
    scored = sorted(
        ((_alike(ours[o], theirs[place]), -place, -o) for place in range(len(theirs)) if place not in pairs for o in free), reverse=True
    )
    for alike, place, match in scored:
        if alike >= _ALIKE and -place not in pairs and -match in free:
            take(-place, -match)
    return pairs


def _alike(one: _Side, two: _Side) -> float:
    return len(one.terms & two.terms) / max(1, len(one.terms | two.terms))


def _values(left: _Side, right: _Side) -> tuple[str, ...]:
    """Return the numbers, periods, denials and duties that changed, in their order."""
    ours, theirs = _stated(left.plain), _stated(right.plain)
    left_only = [said for key, said in ours if key not in {other for other, _ in theirs}]
    right_only = [said for key, said in theirs if key not in {other for other, _ in ours}]
    found = [f"{one or '—'} → {two or '—'}" for one, two in zip_longest(left_only, right_only, fillvalue="")]
    turned = polarity.differs(right.plain, left.plain)
    if turned and not found:
        found.append(f"{_denials(left.plain)} → {_denials(right.plain)}")
    return tuple(found)


def _stated(text: str) -> list[tuple[tuple[object, ...], str]]:
    found: list[tuple[int, tuple[object, ...], str]] = [
        (one.start, (one.kind, one.unit, one.magnitude, one.bound), text[one.start : one.end].strip()) for one in values.find(text)
    ]
    found += [(one.start, (one.first, one.last), text[one.start : one.end]) for one in dates.find(text)]
    return [(key, said) for _, key, said in sorted(found, key=lambda item: item[0])]


def _denials(text: str) -> str:
    found = [text[one.start : one.end + len(one.head)] for one in polarity.of(text).denials]
    duties = sorted(polarity.of(text).duties)
    return "、".join(found or duties) or "—"
