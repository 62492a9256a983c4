"""What a page is before anybody knows what its text means. Points, origin at the top left."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from documents.parsed import Box


@dataclass(slots=True)
class Span:
    """Text on one line without a wide gap. ``size`` is the font's; ``bold`` as the font says."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool = False

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line: horizontal ones at height ``at`` from left to right, vertical ones at ``at`` from top to bottom."""

    at: float
    start: float
    end: float


@dataclass(slots=True)
class Page:
    """``number`` counts from 1."""

    number: int
    width: float
    height: float
    spans: list[Span] = field(default_factory=list)
    across: list[Rule] = field(default_factory=list)
    down: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """Spans that stand on one line, from left to right."""

    spans: list[Span]

    @property
    def box(self) -> Box:
        """Around all."""
        return around(self.spans)

    @property
    def text(self) -> str:
        """Spans with a space between."""
        return " ".join(each.text for each in self.spans)

    @property
    def size(self) -> float:
        """Of its largest span."""
        return max(each.size for each in self.spans)

    @property
    def bold(self) -> bool:
        """Whether all of it is."""
        return all(each.bold for each in self.spans)


def around(spans: Iterable[Span | Box]) -> Box:
    """The smallest box around something."""
    every = list(spans)
    return Box(min(e.x0 for e in every), min(e.y0 for e in every), max(e.x1 for e in every), max(e.y1 for e in every))


def lines(spans: Sequence[Span]) -> list[Line]:
    """Spans by line from the top: those are on one line whose middles are closer than 45% of the lower one's height."""
    rows: list[list[Span]] = []
    for span in sorted(spans, key=lambda each: each.middle):
        if rows:
            last = rows[-1]
            height = min(span.y1 - span.y0, statistics.fmean(each.y1 - each.y0 for each in last[-3:]))
            if span.middle - statistics.fmean(each.middle for each in last[-3:]) < 0.45 * max(height, 1.0):
                last.append(span)
                continue
        rows.append([span])
    return [Line(sorted(row, key=lambda each: each.x0)) for row in rows]
