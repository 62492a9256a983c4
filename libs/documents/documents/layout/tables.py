"""Tables of a page: ruled, half-ruled (lines across alone), and unruled columns of figures. Takes their text out of the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from documents import clauses
from documents.clean import join_lines
from documents.formats.delimited import is_number
from documents.layout.page import Line, Page, Rule, Span, around, lines
from documents.parsed import Box

NEAR = 3.0
"""Points within which two lines are drawn at one place."""
_FIGURE = re.compile(r"[-–—/*]+$|n/?a$|nil$|不适用$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A table: rows of labels, other rows, its place."""

    header: list[list[str]]
    rows: list[list[str]]
    box: Box


def extract(page: Page) -> list[Found]:
    """Every table of a page; ``page.spans`` keeps what is in none."""
    found = []
    for box, across, down in _frames(page):
        inside = [
            each
            for each in page.spans
            if box.x0 - NEAR <= (each.x0 + each.x1) / 2 <= box.x1 + NEAR and box.y0 - 1 < each.middle < box.y1 + 1
        ]
        if len(down) < 2 and len(_places(across)) == 2:
            inside += _labels_above(box, page.spans)
        table = _ruled(box, across, down, inside) if len(down) > 1 else _half_ruled(box, across, inside)
        if table is not None:
            found.append(table)
            taken = set(map(id, inside))
            page.spans = [each for each in page.spans if id(each) not in taken]
    return found + _unruled(page)


def _labels_above(box: Box, spans: Sequence[Span]) -> list[Span]:
    """The line of labels that stands on the upper of two rules, when it is none of those below."""
    near = [
        each for each in spans if box.y0 - 2 * each.size < each.middle < box.y0 and box.x0 - NEAR <= each.x0 and each.x1 <= box.x1 + NEAR
    ]
    return near if len(near) > 1 and not _announces(Line(near)) and len(lines(near)) == 1 else []


def _announces(line: Line) -> bool:
    """Whether a line is a caption or a unit."""
    return any(clauses.caption(each.text) or clauses.unit(each.text) for each in line.spans)


def _frames(page: Page) -> list[tuple[Box, list[Rule], list[Rule]]]:
    """Rules that cross; of those that cross none, lines across one above another with rows of a table between."""
    groups: list[tuple[Box, list[Rule], list[Rule]]] = []
    for rule, flat in [*((each, False) for each in page.down), *((each, True) for each in page.across)]:
        box = Box(rule.start, rule.at, rule.end, rule.at) if flat else Box(rule.at, rule.start, rule.at, rule.end)
        across, down = ([rule], []) if flat else ([], [rule])
        rest = []
        for other in groups:
            if flat and not other[2]:
                rest.append(other)
            elif _crosses(box, other[0]):
                box, across, down = around([box, other[0]]), other[1] + across, other[2] + down
            else:
                rest.append(other)
        groups = [*rest, (box, across, down)]
    crossed = [each for each in groups if each[2] and len(_places(each[1])) > 1]
    return sorted([*crossed, *_stacked(page, [each[1][0] for each in groups if not each[2]])], key=lambda each: (each[0].y0, each[0].x0))


def _crosses(one: Box, other: Box) -> bool:
    beside = one.x0 <= other.x1 + NEAR and other.x0 <= one.x1 + NEAR
    return beside and one.y0 <= other.y1 + NEAR and other.y0 <= one.y1 + NEAR


def _stacked(page: Page, rules: list[Rule]) -> list[tuple[Box, list[Rule], list[Rule]]]:
    groups: list[tuple[Box, list[Rule]]] = []
    for rule in sorted((each for each in rules if each.end - each.start > 8), key=lambda each: each.at):
        box = Box(rule.start, rule.at, rule.end, rule.at)
        for at, (other, members) in enumerate(groups):
            overlap = min(rule.end, other.x1) - max(rule.start, other.x0)
            level = rule.at - other.y1 <= NEAR and overlap > -20
            if level or (overlap > 0.8 * min(rule.end - rule.start, other.x1 - other.x0) and _tabular(page.spans, other, rule.at)):
                groups[at] = around([other, box]), [*members, rule]
                break
        else:
            groups.append((box, [rule]))
    return [(box, members, []) for box, members in groups if len(_places(members)) > 1 and box.x1 - box.x0 > 40]


def _tabular(spans: Sequence[Span], above: Box, bottom: float) -> bool:
    """Whether what stands between a line and the next one below can be rows of a table."""
    between = lines([each for each in spans if above.y1 < each.middle < bottom and above.x0 - NEAR <= each.x0 <= above.x1])
    if not between:
        return bottom - above.y1 < 8
    wide = any(len(line.spans) == 1 and line.box.x1 - line.box.x0 > 0.6 * (above.x1 - above.x0) for line in between)
    return not wide and not any(_announces(line) for line in between) and any(len(line.spans) > 1 for line in between)


def _places(rules: Sequence[Rule], *more: float) -> list[float]:
    """Where rules stand, those that are near taken as one."""
    places: list[float] = []
    for at in sorted([*(rule.at for rule in rules), *more]):
        if not places or at - places[-1] > NEAR:
            places.append(at)
    return places


def _ruled(box: Box, across: list[Rule], down: list[Rule], spans: list[Span]) -> Found | None:
    """Cells between rules; where no rule parts two cells they are one, and its text stands in both places."""
    xs, ys = _places(down, box.x0, box.x1), _places(across, box.y0, box.y1)
    if len(xs) < 3 or len(ys) < 3 or len(xs) > 100 or len(ys) > 400:
        return _half_ruled(box, across, spans) if len(xs) >= 2 and len(across) > 2 else None
    count = (len(ys) - 1, len(xs) - 1)
    owner = _merged(xs, ys, across, down)
    inside: dict[tuple[int, int], list[Span]] = {}
    for span in spans:
        row = max(0, min(sum(y < span.middle for y in ys) - 1, count[0] - 1))
        column = max(0, min(sum(x < (span.x0 + span.x1) / 2 for x in xs) - 1, count[1] - 1))
        inside.setdefault(owner[row, column], []).append(span)
    rows: list[list[str]] = []
    for row in range(count[0]):
        rows.extend(
            _row([inside.get(owner[row, column], []) for column in range(count[1])], [owner[row, c][0] == row for c in range(count[1])])
        )
    return _table(rows, box)


def _merged(xs: list[float], ys: list[float], across: list[Rule], down: list[Rule]) -> dict[tuple[int, int], tuple[int, int]]:
    """For each cell the first one of the merged cell that it belongs to."""
    owner = {(row, column): (row, column) for row in range(len(ys) - 1) for column in range(len(xs) - 1)}

    def root(cell: tuple[int, int]) -> tuple[int, int]:
        while owner[cell] != cell:
            cell = owner[cell]
        return cell

    for row in range(len(ys) - 1):
        for column in range(len(xs) - 1):
            x, y = (xs[column] + xs[column + 1]) / 2, (ys[row] + ys[row + 1]) / 2
            for other, parted in (
                ((row, column + 1), _drawn(down, xs[column + 1], y)),
                ((row + 1, column), _drawn(across, ys[row + 1], x)),
            ):
                if other in owner and not parted:
                    first, second = sorted((root((row, column)), root(other)))
                    owner[second] = first
    return {cell: root(cell) for cell in owner}


def _drawn(rules: list[Rule], at: float, through: float) -> bool:
    return any(abs(rule.at - at) <= NEAR and rule.start - NEAR <= through <= rule.end + NEAR for rule in rules)


def _row(cells: list[list[Span]], own: list[bool]) -> list[list[str]]:
    """One row, or several where no rule parts rows but their text stands on common lines in nearly all columns."""
    by_line = [lines(cell) for cell in cells]
    counts = [len(each) for each, mine in zip(by_line, own, strict=True) if each and mine]
    if len(counts) > 1 and min(counts) == max(counts) >= 3:
        heights = [[line.box.y1 for line in each] for each, mine in zip(by_line, own, strict=True) if each and mine]
        if all(max(level) - min(level) < 4 for level in zip(*heights, strict=True)):
            return [[each[at].text if at < len(each) else "" for each in by_line] for at in range(counts[0])]
    return [[join_lines([line.text for line in each]) for each in by_line]]


def _half_ruled(box: Box, across: list[Rule], spans: list[Span]) -> Found | None:
    """Rows are lines of text, columns where no text of them stands."""
    found = lines(spans)
    columns = _columns(found)
    if len(columns) < 2 or len(found) < 2:
        return None
    levels = _places(across)
    top = [line for line in found if len(levels) > 2 and line.box.y0 + 2 < levels[1]] if len(levels) > 2 else []
    return _table(_gathered(found, columns), box, len(top) if 0 < len(top) < len(found) and len(top) <= 4 else None)


def _columns(found: list[Line]) -> list[tuple[float, float]]:
    """Stretches of the width in which text stands, by the lines that have most spans: titles across several columns don't count."""
    most = max((len(line.spans) for line in found), default=0)
    stretches: list[list[float]] = []
    for line in found:
        if len(line.spans) >= max(2, most - 1 if most > 3 else most):
            stretches.extend([span.x0, span.x1] for span in line.spans)
    merged: list[list[float]] = []
    for start, end in sorted(stretches):
        if merged and start < merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return [(start, end) for start, end in merged]


def _gathered(found: list[Line], columns: list[tuple[float, float]]) -> list[list[str]]:
    """Cells by row; a span over several columns stands in each; a line that only goes on with text above belongs to that row."""
    rows: list[list[str]] = []
    below = -1.0e9
    for line in found:
        cells = [""] * len(columns)
        for span in line.spans:
            covered = [at for at, (start, end) in enumerate(columns) if span.x0 < end and start < span.x1] or [_nearest(span, columns)]
            for at in covered:
                cells[at] = join_lines([cells[at], span.text])
        close = line.box.y0 - below < 0.5 * line.size
        if (
            rows
            and close
            and not any(is_number(each) for each in cells)
            and not cells[0]
            and sum(map(bool, cells)) < len(columns) - 1
            and len(rows) > 1
        ):
            rows[-1] = [join_lines([above, cell]) if cell else above for above, cell in zip(rows[-1], cells, strict=True)]
        elif rows and close and rows[-1][0] and not any(rows[-1][1:]) and cells[0][:1].islower():
            rows[-1] = [join_lines([rows[-1][0], cells[0]]), *cells[1:]]
        else:
            rows.append(cells)
        below = line.box.y1
    return rows


def _nearest(span: Span, columns: list[tuple[float, float]]) -> int:
    return min(range(len(columns)), key=lambda at: abs(columns[at][0] + columns[at][1] - span.x0 - span.x1))


def _unruled(page: Page) -> list[Found]:
    """Three and more lines in succession whose spans stand in common columns and are mostly figures."""
    found: list[Found] = []
    taken: set[int] = set()
    run: list[Line] = []
    for line in [*lines(page.spans), Line([])]:
        if len(line.spans) > 1 and not _announces(line) and (not run or line.box.y0 - run[-1].box.y1 < 2.5 * line.size):
            run.append(line)
            continue
        if run and line.spans and not _far(line, run) and line.box.x1 - line.box.x0 < 0.4 * page.width:
            run.append(line)  # a label without figures
            continue
        table = _aligned(run)
        if table is not None:
            found.append(table)
            taken.update(id(span) for each in run for span in each.spans)
        run = [line] if len(line.spans) > 1 and not _announces(line) else []
    page.spans = [each for each in page.spans if id(each) not in taken]
    return found


def _far(line: Line, run: list[Line]) -> bool:
    return line.box.y0 - run[-1].box.y1 > 1.2 * line.size or abs(line.box.x0 - run[-1].box.x0) > 30


def _aligned(run: list[Line]) -> Found | None:
    while run and len(run[-1].spans) < 2:
        run.pop()
    columns = _columns(run)
    if len(run) < 3 or not 2 <= len(columns) <= 30:
        return None
    rows = _gathered(run, columns)
    cells = [cell for row in rows for cell in row[1:] if cell]
    figures = sum(is_number(cell) or _FIGURE.match(cell) is not None for cell in cells)
    short = len(columns) >= 3 and sum(map(len, cells)) < 12 * len(cells)
    if 2 * figures < len(cells) and not short:
        return None
    return _table(rows, around([line.box for line in run]))


def _table(rows: list[list[str]], box: Box, head: int | None = None) -> Found | None:
    rows = [row for row in rows if any(row)]
    if len(rows) < 2 or sum(any(row[at] for row in rows) for at in range(len(rows[0]))) < 2:
        return None
    count = labels(rows) if head is None else head
    return Found(rows[:count], rows[count:], box)


def labels(rows: list[list[str]]) -> int:
    """How many rows at the top are labels: those before the first with figures, four at most; of a table of words one."""
    first = next((at for at, row in enumerate(rows) if any(is_number(each) for each in row[1:])), None)
    if first is not None:
        return first if first <= 4 else 1
    count = 1
    while count < min(len(rows) - 1, 3) and any(cell and cell == above for cell, above in zip(rows[count], rows[count - 1], strict=True)):
        count += 1
    return count
