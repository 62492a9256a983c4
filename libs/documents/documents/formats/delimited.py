"""CSV and its kin as one table."""

from __future__ import annotations

import csv
import re

from documents.draft import Draft
from documents.errors import Malformed, TooLarge

DELIMITERS = ",\t;|，"
_NUMBER = re.compile(r"[-+(（¥$€£]*[0-9][0-9,.]*\s?[%％)）]?$")
csv.field_size_limit(1 << 20)


def read(text: str, draft: Draft) -> None:
    """Into the draft."""
    lines = text.splitlines(keepends=True)
    sample = lines[:50]
    delimiter = max(DELIMITERS, key=lambda each: (min((line.count(each) for line in sample[:5] if line.strip()), default=0), each == ","))
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=False) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise Malformed("not a table of delimited values") from error
    if max((len(row) for row in rows), default=0) > draft.limits.max_columns:
        raise TooLarge(f"more than {draft.limits.max_columns} columns")
    lead = 0
    while lead < len(rows) - 1 and len(list(filter(None, rows[lead]))) == 1 < len(rows[lead + 1]):
        draft.prose(next(filter(None, rows[lead])))
        lead += 1
    head = header_rows(rows[lead : lead + 4])
    draft.table(rows[lead : lead + head], rows[lead + head :])


def header_rows(rows: list[list[str]]) -> int:
    """How many of the first rows are labels: 1 unless the first holds a number, and only where there is something below."""
    if len(rows) < 2:
        return 0
    return 0 if any(is_number(each) for each in rows[0]) else 1


def is_number(text: str) -> bool:
    """Whether a cell holds a figure; a bare year doesn't count."""
    return _NUMBER.match(text.strip()) is not None and not re.fullmatch(r"(?:19|20)[0-9]{2}", text.strip())
