"""Cells that span rows and columns as a rectangle: a merged cell stands in each place that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from documents.draft import Draft
from documents.errors import TooLarge


@dataclass(frozen=True, slots=True)
class Cell:
    """``label``: markup says that it is a header."""

    text: str
    across: int = 1
    down: int = 1
    label: bool = False


def filled(rows: Sequence[Sequence[Cell]], draft: Draft) -> list[list[str]]:
    """Rows of equal length. Spans end with the table. Raises TooLarge before it makes more cells than a document may have."""
    grid: list[dict[int, str]] = [{} for _ in rows]
    made = 0
    for at, row in enumerate(rows):
        column = 0
        for cell in row:
            while column in grid[at]:
                column += 1
            across, down = max(cell.across, 1), min(max(cell.down, 1), len(rows) - at)
            made += across * down
            if column + across > draft.limits.max_columns or made > draft.limits.max_cells:
                raise TooLarge("a table has too many cells")
            for below in range(at, at + down):
                grid[below].update(dict.fromkeys(range(column, column + across), cell.text))
            column += across
    width = max((max(row, default=-1) + 1 for row in grid), default=0)
    if width * len(grid) > draft.limits.max_cells:
        raise TooLarge("a table has too many cells")
    return [[row.get(column, "") for column in range(width)] for row in grid]
