"""A parsed document as bytes: JSON, one line for the document, each block and each row of a table.

``decode`` reads what a parser sent, which may have been taken over by the document: it checks every field, and counts while it reads, so
that no answer costs more memory than the limits allow. (One JSON text would: twenty times its own size in empty lists.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, cast, get_args

from documents.clean import is_clean
from documents.limits import Limits
from documents.parsed import Block, Box, Heading, Paragraph, Parsed, Style, Table

LINE_BYTES = 8 << 20
"""Of one line; a longer paragraph is no paragraph."""
STYLES = get_args(Style)


class WrongForm(ValueError):
    """What was sent is not a parsed document, or beyond the limits."""


def encode(parsed: Parsed) -> bytes:
    """UTF-8, lines ended by a line feed."""
    return b"".join(_line(each) for each in _records(parsed))


def _line(record: list[Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _records(parsed: Parsed) -> Iterator[list[Any]]:
    yield ["d", parsed.title, parsed.media_type, parsed.pages, dict(parsed.metadata), parsed.warnings, parsed.ocr_pages]
    for block in parsed.blocks:
        match block:
            case Heading(level, text, page):
                yield ["h", level, text, page]
            case Paragraph(text, page, box, style):
                yield ["p", text, page, _place(box), style]
            case Table():
                head, rows = len(block.header), len(block.rows)
                yield ["t", block.caption, head, rows, block.page, _place(block.box), block.sheet]
                yield from (["r", *row] for row in (*block.header, *block.rows))


def _place(box: Box | None) -> list[float] | None:
    return None if box is None else [round(each, 2) for each in (box.x0, box.y0, box.x1, box.y1)]


def decode(payload: bytes, limits: Limits) -> Parsed:
    """Raises WrongForm."""
    return _Decoder(payload, limits).parsed()


def _need(held: bool) -> None:
    if not held:
        raise WrongForm("the parser's answer has no such form")


class _Decoder:
    """Reads line by line; ``characters`` and ``cells`` are counted down."""

    def __init__(self, payload: bytes, limits: Limits) -> None:
        self._payload = payload
        self._at = 0
        self._limits = limits
        self._characters = limits.max_characters
        self._cells = limits.max_cells
        self._pages = 0

    def parsed(self) -> Parsed:
        kind, title, media_type, pages, metadata, warnings, ocr_pages = self._record(7)
        _need(kind == "d" and isinstance(metadata, dict) and isinstance(warnings, list) and isinstance(ocr_pages, list))
        self._pages = self._count(pages, self._limits.max_pages)
        _need(len(metadata) <= 100 and len(warnings) <= 1_000 and len(ocr_pages) <= self._pages)
        return Parsed(
            self._text(title),
            self._text(media_type),
            pages=self._pages,
            blocks=tuple(self._blocks()),
            metadata={self._text(key): self._text(value) for key, value in metadata.items()},
            warnings=tuple(self._text(each) for each in warnings),
            ocr_pages=tuple(cast(int, self._page(each)) for each in ocr_pages),
        )

    def _record(self, length: int | None = None) -> list[Any]:
        end = self._payload.find(b"\n", self._at)
        _need(0 <= end - self._at <= LINE_BYTES)
        line = self._payload[self._at : end]
        self._at = end + 1
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise WrongForm("the parser's answer is no JSON") from None
        _need(isinstance(record, list) and bool(record) and (length is None or len(record) == length))
        return cast(list[Any], record)

    def _blocks(self) -> Iterator[Block]:
        read: dict[str, Callable[[list[Any]], Block]] = {"h": self._heading, "p": self._paragraph, "t": self._table}
        left = self._limits.max_blocks
        while self._at < len(self._payload):
            record = self._record()
            left -= 1
            _need(left >= 0 and isinstance(record[0], str) and record[0] in read)
            yield read[record[0]](record)

    def _heading(self, record: list[Any]) -> Heading:
        _need(len(record) == 4)
        _, level, text, page = record
        _need(self._count(level, 9) >= 1)
        return Heading(level, self._text(text), self._page(page))

    def _paragraph(self, record: list[Any]) -> Paragraph:
        _need(len(record) == 5)
        _, text, page, box, style = record
        _need(style in STYLES)
        return Paragraph(self._text(text), self._page(page), self._box(box), style)

    def _table(self, record: list[Any]) -> Table:
        _need(len(record) == 7)
        _, caption, head, rows, page, box, sheet = record
        head, rows = self._count(head, self._cells), self._count(rows, self._cells)
        cells = [self._row() for _ in range(head + rows)]
        _need(len({len(each) for each in cells}) == 1)
        return Table(
            self._text(caption),
            tuple(cells[:head]),
            rows=tuple(cells[head:]),
            page=self._page(page),
            box=self._box(box),
            sheet=self._text(sheet),
        )

    def _row(self) -> tuple[str, ...]:
        kind, *cells = self._record()
        self._cells -= len(cells)
        _need(kind == "r" and bool(cells) and self._cells >= 0)
        return tuple(self._text(each) for each in cells)

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise WrongForm("the parser's answer has something else for a text")
        self._characters -= len(value)
        _need(self._characters >= 0 and is_clean(value))
        return value

    def _count(self, value: object, most: int) -> int:
        if type(value) is not int or not 0 <= value <= most:
            raise WrongForm("the parser's answer has a number out of bounds")
        return value

    def _page(self, value: object) -> int | None:
        if value is None:
            return None
        _need(self._count(value, self._pages) >= 1)
        return cast(int, value)

    def _box(self, value: object) -> Box | None:
        if value is None:
            return None
        _need(isinstance(value, list) and len(value) == 4)
        numbers = cast(list[Any], value)
        _need(all(isinstance(each, int | float) and math.isfinite(each) for each in numbers))
        x0, y0, x1, y1 = (float(each) for each in numbers)
        _need(x0 <= x1 and y0 <= y1)
        return Box(x0, y0, x1, y1)
