"""Reading order: columns, then lines, then paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from documents import clauses
from documents.clean import divided, join_lines
from documents.layout.page import Line, Page, Span, around, lines
from documents.layout.tables import Found
from documents.parsed import Box

GUTTER = 10.0
"""Points between columns of text."""
ENDS = "。.！!？?；;：:”」）)"
"""Characters at which a sentence may end."""


@dataclass(slots=True)
class Passage:
    """Lines of one paragraph. ``full``: its last line goes to the end of its column, so that it may go on elsewhere."""

    lines: list[Line]
    full: bool

    @property
    def text(self) -> str:
        """As running text."""
        return join_lines([each.text for each in self.lines])

    @property
    def size(self) -> float:
        """Of its first line."""
        return self.lines[0].size

    @property
    def bold(self) -> bool:
        """Whether all of it is."""
        return all(each.bold for each in self.lines)

    @property
    def box(self) -> Box:
        """Around all lines."""
        return around([each.box for each in self.lines])


def ordered(page: Page, tables: Sequence[Found]) -> list[Passage | Found]:
    """What stands on a page in the order in which it is read; a table stands where its top is."""
    found: list[Passage | Found] = []
    left = sorted(tables, key=lambda each: (each.box.y0, each.box.x0))
    for column in _columns(page.spans, page.width):
        passages = _passages(lines(column))
        edge = around(column)
        for passage in passages:
            while left and left[0].box.y0 < passage.box.y0 and _beside(left[0].box, edge):
                found.append(left.pop(0))
            found.append(passage)
        bottom = edge.y1
        while left and left[0].box.y1 < bottom and _beside(left[0].box, edge):
            found.append(left.pop(0))
    return [*found, *left]


def _beside(box: Box, edge: Box) -> bool:
    return min(box.x1, edge.x1) - max(box.x0, edge.x0) > 0.3 * min(box.x1 - box.x0, edge.x1 - edge.x0)


def _columns(spans: Sequence[Span], width: float, depth: int = 0) -> list[list[Span]]:
    """Groups of spans, each read from top to bottom. What crosses the gutter parts what is above from what is below."""
    gutter = _gutter(spans) if depth < 3 else None
    if gutter is None:
        return [list(spans)] if spans else []
    crossing = sorted((each for each in spans if each.x0 < gutter < each.x1), key=lambda each: each.y0)
    others = [each for each in spans if not each.x0 < gutter < each.x1]
    groups: list[list[Span]] = []
    band: list[Span] = []
    for line in lines(crossing):
        above = [each for each in others if each.middle < line.spans[0].middle]
        others = [each for each in others if each.middle >= line.spans[0].middle]
        if above:
            groups += [band] if band else []
            groups += _sides(above, gutter, width, depth)
            band = []
        band += line.spans
    groups += [band] if band else []
    return groups + _sides(others, gutter, width, depth)


def _sides(spans: list[Span], gutter: float, width: float, depth: int) -> list[list[Span]]:
    left, right = [each for each in spans if each.x1 <= gutter], [each for each in spans if each.x0 >= gutter]
    return _columns(left, width, depth + 1) + _columns(right, width, depth + 1)


def _gutter(spans: Sequence[Span]) -> float | None:
    """The middle of a white stripe that most lines keep clear, with several lines of text on both sides."""
    if len(spans) < 8:
        return None
    edge = around(spans)
    low, high = edge.x0 + 0.2 * (edge.x1 - edge.x0), edge.x1 - 0.2 * (edge.x1 - edge.x0)
    best: tuple[int, float, float] | None = None
    for x in sorted({each.x1 for each in spans if low <= each.x1 <= high}):
        crossing = sum(each.x0 < x + 1 and each.x1 > x + 1 for each in spans)
        right = [each.x0 for each in spans if each.x0 > x]
        gap = min(right, default=x) - x
        if gap >= GUTTER and (best is None or (crossing, -gap) < best[:2]):
            best = (crossing, -gap, x + gap / 2)
    if best is None:
        return None
    gutter = best[2]
    left, right_side = [each for each in spans if each.x1 <= gutter], [each for each in spans if each.x0 >= gutter]
    wide = [around(side) for side in (left, right_side) if len(side) >= 4]
    enough = len(wide) == 2 and 4 * best[0] <= len(spans) and all(each.x1 - each.x0 > 0.25 * (edge.x1 - edge.x0) for each in wide)
    beside = enough and min(wide[0].y1, wide[1].y1) - max(wide[0].y0, wide[1].y0) > 0.3 * min(each.y1 - each.y0 for each in wide)
    return gutter if beside else None


def _passages(found: list[Line]) -> list[Passage]:
    if not found:
        return []
    edge = around([each.box for each in found])
    passages: list[Passage] = []
    for line in found:
        if passages and not _begins(line, passages[-1], edge):
            passages[-1].lines.append(line)
            passages[-1].full = _full(line, edge)
        else:
            passages.append(Passage([line], _full(line, edge)))
    return passages


def _full(line: Line, edge: Box) -> bool:
    return line.box.x1 > edge.x1 - 2.5 * line.size


def _begins(line: Line, passage: Passage, edge: Box) -> bool:
    """Whether a line begins a paragraph."""
    last = passage.lines[-1]
    box, above = line.box, last.box
    if divided(last.text) and line.text[0].islower() and box.y0 - above.y1 < line.size:
        return False
    if abs(line.size - last.size) > 0.1 * last.size or line.bold != last.bold:
        return True
    if box.y0 - above.y1 > 0.9 * line.size:
        return True
    if starts(line.text) or clauses.caption(last.text) or clauses.unit(last.text):
        return True
    if _whole_heading(last, passage) or (not passage.full and _stops(last, edge)):
        return True
    indent = 1.2 * line.size
    return box.x0 > edge.x0 + indent and (above.x0 < box.x0 - indent or len(passage.lines) > 1)


def _stops(line: Line, edge: Box) -> bool:
    """Whether a line that does not go to the end of its column is the last of its paragraph."""
    return line.text[-1] in ENDS or line.box.x1 - line.box.x0 < 0.6 * (edge.x1 - edge.x0)


def _whole_heading(line: Line, passage: Passage) -> bool:
    found = clauses.heading(line.text)
    return len(passage.lines) == 1 and found is not None and found[1] == line.text


def starts(text: str) -> bool:
    """Whether text starts a paragraph by itself, whatever stands above."""
    return clauses.heading(text) is not None or clauses.item(text) or clauses.caption(text) or clauses.unit(text)
