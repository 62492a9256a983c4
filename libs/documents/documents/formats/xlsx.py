"""XLSX: each visible sheet as tables, cells as they are displayed. What a sheet says of its size is not believed: cells alone are kept.

openpyxl's ``read_only`` worksheet makes every cell of the stated size; so its parser is asked for the rows that there are.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl
from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.worksheet._reader import WorkSheetParser

from documents.draft import Draft
from documents.errors import Malformed, TooLarge
from documents.formats.number_formats import shown
from documents.layout.tables import labels

Cells = dict[int, dict[int, str]]


def read(content: memoryview, draft: Draft) -> None:
    """Into the draft. Raises Malformed, TooLarge."""
    warnings.simplefilter("ignore")
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError, OSError, zipfile.BadZipFile) as error:
        raise Malformed("not a whole workbook") from error
    draft.metadata.update(_metadata(book))
    draft.title = draft.metadata.pop("title", "")
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            draft.warn(f"hidden sheet {sheet.title!r} was left out")
            continue
        try:
            cells = _cells(book, sheet, draft)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, SyntaxError, zipfile.BadZipFile) as error:
            raise Malformed("a sheet can't be read") from error
        if cells:
            draft.heading(1, sheet.title)
        for region in _regions(cells):
            _region(region, sheet.title, draft)


def _metadata(book: Any) -> dict[str, str]:
    found = {name: str(getattr(book.properties, name, None) or "") for name in ("title", "creator", "subject", "created", "modified")}
    return {name: value for name, value in found.items() if value}


def _cells(book: Any, sheet: Any, draft: Draft) -> Cells:
    """Text of cells by row and column, merged ones filled, hidden ones left out."""
    formats = _formats(book)
    cells: Cells = {}
    with sheet._get_source() as source:
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        for number, row in parser.parse():
            kept = {cell["column"]: text for cell in row if (text := shown(cell["value"], formats.get(cell["style_id"], "General")))}
            if kept:
                draft.count_cells(len(kept))
                cells[number] = kept
    for number in [int(each) for each, found in parser.row_dimensions.items() if found.get("hidden") in {"1", "true"} and each.isdigit()]:
        if cells.pop(number, None):
            draft.warn(f"hidden rows of sheet {sheet.title!r} were left out")
    _merge(cells, parser.merged_cells, draft)
    return dict(sorted(cells.items()))


def _formats(book: Any) -> dict[int, str]:
    """The number format of each cell style."""
    found = {}
    for at, style in enumerate(book._cell_styles):
        own = style.numFmtId - 164
        with contextlib.suppress(IndexError):
            found[at] = book._number_formats[own] if own >= 0 else BUILTIN_FORMATS.get(style.numFmtId, "General")
    return found


def _merge(cells: Cells, merged: Any, draft: Draft) -> None:
    """Fill merged cells, in rows and columns that hold something. A title over a whole row stays one cell."""
    last = max((max(row) for row in cells.values()), default=0)
    for area in itertools.islice(merged.mergeCell if merged is not None else [], 100_000):
        text = cells.get(area.min_row, {}).get(area.min_col)
        rows = [number for number in range(area.min_row, min(area.max_row, area.min_row + 10_000) + 1) if number in cells]
        if text is None or (len(rows) == 1 and len(cells[area.min_row]) == 1):
            continue
        columns = range(area.min_col, min(area.max_col, last) + 1)
        draft.count_cells(len(rows) * len(columns))
        for number in rows:
            cells[number].update(dict.fromkeys(columns, text))


def _regions(cells: Cells) -> Iterator[list[dict[int, str]]]:
    """Rows that follow one another: an empty row parts tables."""
    region: list[dict[int, str]] = []
    before = 0
    for number, row in cells.items():
        if region and number > before + 1:
            yield region
            region = []
        region.append(row)
        before = number
    if region:
        yield region


def _region(region: list[dict[int, str]], sheet: str, draft: Draft) -> None:
    """Rows of one cell at its top and bottom are text (a title, the unit, a note), the rest is a table."""
    first, last = 0, len(region)
    while first < last and len(region[first]) == 1:
        draft.prose(next(iter(region[first].values())))
        first += 1
    while last > first and len(region[last - 1]) == 1 and len(next(iter(region[last - 1].values()))) > 20:
        last -= 1
    rows = region[first:last]
    columns = sorted({column for row in rows for column in row})
    if len(columns) > draft.limits.max_columns or len(columns) * len(rows) > draft.limits.max_cells:
        raise TooLarge(f"a table of {len(rows)} rows and {len(columns)} columns")
    if rows:
        grid = [[row.get(column, "") for column in columns] for row in rows]
        head = labels(grid) if len(grid) > 1 else 0
        draft.table(grid[:head], grid[head:], sheet=sheet)
    for row in region[last:]:
        draft.prose(next(iter(row.values())))
