"""Numbers bound to what they are about: the words beside them, the period they hold for, the row and column of a table.

In running text the words between the number before and this one, inside the clause, are its label; those that follow count half, the rest
of the sentence a fifth. The period is the
one that follows at once (`$1.2 million in 2019`), else the nearest before; with 分别 or "respectively" the n-th of each belong together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from claims import segments, terms
from claims.periods import Period
from claims.values import Value


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with the weights of the terms it stands for, and its period (None: the text beside it names none)."""

    value: Value
    label: Mapping[str, float] = field(hash=False)
    period: Period | None
    row: str = ""
    column: str = ""


_IN_ORDER = re.compile(r"分别|依次|respectively")
_FOLLOWS = re.compile(
    r"[^,;。]{0,12}?\s?(?:\(|in|for|during|at|as of|as at|of|on|ended|by|from)\s(?:the\s)?(?:year\s|fiscal\s|years\s|three months\s|"
    r"six months\s|nine months\s)?(?:ended\s)?$|\s?\($"
)
_LIST = re.compile(r"[、,]|\sand\s|和|与|及|以及")
_FOLLOWING, _SENTENCE = 0.5, 0.2


def similarity(claim: Mapping[str, float], evidence: Mapping[str, float]) -> float:
    """Return how much of a claim's label another label holds, 0 to 1."""
    total = sum(claim.values())
    if not total:
        return 0.0
    return sum(min(weight, evidence.get(term, 0.0)) for term, weight in claim.items()) / total


def of_text(
    text: str, start: int, end: int, found: Sequence[Value], dated: Sequence[Period], skip: Sequence[tuple[int, int]]
) -> list[Fact]:
    """Bind the values of one sentence. ``found`` and ``dated`` are its values and periods; ``skip`` are stretches that hold no words."""
    if not found:
        return []
    when = _periods(text, start, end, found, dated)
    labels = [_label(text, start, end, place, found, skip) for place in range(len(found))]
    if len(found) > 1 and _IN_ORDER.search(text, start, end):
        labels = _in_order(text, start, found, skip, labels)
    return [Fact(value, label, its) for value, label, its in zip(found, labels, when, strict=True)]


def _label(text: str, start: int, end: int, place: int, found: Sequence[Value], skip: Sequence[tuple[int, int]]) -> dict[str, float]:
    value = found[place]
    clause_start, clause_end = next(
        ((one, two) for one, two in segments.clauses(text, start, end) if one <= value.start < two), (start, end)
    )
    before = max([clause_start, *(other.end for other in found[:place])])
    after = min([max(clause_end, value.end), *(other.start for other in found[place + 1 :])])
    label: dict[str, float] = {}
    lead = _terms(text, before, value.start, skip)
    if not lead:
        earlier = clause_start if place and found[place - 1].end == before else start
        lead = _terms(text, earlier, before, skip)
    for term in _terms(text, start, end, skip):
        label[term] = _SENTENCE
    for term in _terms(text, value.end, after, skip):
        label[term] = _FOLLOWING
    for term in lead:
        label[term] = 1.0
    return label


def _terms(text: str, start: int, end: int, skip: Sequence[tuple[int, int]]) -> frozenset[str]:
    if end <= start:
        return frozenset()
    return terms.of(text[start:end], [(one - start, two - start) for one, two in skip if one < end and two > start])


def _periods(text: str, start: int, end: int, found: Sequence[Value], dated: Sequence[Period]) -> list[Period | None]:
    if not dated:
        return [None] * len(found)
    if len(dated) > 1 and len(found) % len(dated) == 0 and _IN_ORDER.search(text, start, end):
        return [dated[place % len(dated)] for place in range(len(found))]
    bound: list[Period | None] = []
    for place, value in enumerate(found):
        limit = found[place + 1].start if place + 1 < len(found) else end
        follows = next((one for one in dated if value.end <= one.start < limit and _FOLLOWS.fullmatch(text, value.end, one.start)), None)
        before = next((one for one in reversed(dated) if one.end <= value.start), None)
        bound.append(follows or before or next((one for one in dated if one.start >= value.end), None))
    return bound


def _in_order(
    text: str, start: int, found: Sequence[Value], skip: Sequence[tuple[int, int]], labels: list[dict[str, float]]
) -> list[dict[str, float]]:
    """Give the n-th value the n-th of the subjects before the first value (A和B分别为…)."""
    mark = _IN_ORDER.search(text, start)
    stop = min(found[0].start, mark.start()) if mark and mark.start() < found[0].start else found[0].start
    parts = [
        (one, two)
        for one, two in terms.gaps(stop - start, [(match.start(), match.end()) for match in _LIST.finditer(text[start:stop])])
        if _terms(text, start + one, start + two, skip)
    ]
    if len(parts) < len(found):  # one subject, several periods
        return [labels[0] | label for label in labels]
    chosen = parts[-len(found) :]
    return [dict.fromkeys(_terms(text, start + one, start + two, skip), 1.0) for one, two in chosen]
