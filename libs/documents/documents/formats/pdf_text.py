"""The text layer of a page of a PDF: characters with places become spans."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

from documents.draft import Draft
from documents.layout.page import Span

WIDE_GAP = 0.9
"""Of the size: a wider gap parts cells and columns."""
_HYPHENS = {0x02: "-", 0xFFFE: "-", 0xAD: "-"}
MAX_CHARACTERS = 200_000
"""Of one page."""


@dataclass(slots=True)
class PageText:
    """``count`` visible characters, ``garbage`` of them without a meaning (private use, no Unicode)."""

    spans: list[Span] = field(default_factory=list)
    count: int = 0
    garbage: int = 0


def spans(page: Any, draft: Draft) -> PageText:
    """What a page says. Rotated text (watermarks) and text smaller than a point is left out, with a warning."""
    handle = pdfium.FPDFText_LoadPage(page)
    if not handle:
        return PageText()
    try:
        return _Collector(page, handle, draft).collect()
    finally:
        pdfium.FPDFText_ClosePage(handle)


class _Collector:
    """Goes through the characters once; ``_open`` is the span that grows."""

    def __init__(self, page: Any, handle: Any, draft: Draft) -> None:
        self._handle = handle
        self._draft = draft
        left, bottom, right, top = page.get_bbox()
        self._turns = pdfium.FPDFPage_GetRotation(page)
        self._left, self._top, self._right, self._bottom = left, top, right, bottom
        self._found = PageText()
        self._open: Span | None = None
        self._space = False
        self._seen: dict[tuple[str, int, int], None] = {}

    def collect(self) -> PageText:
        box, count = pdfium.FS_RECTF(), pdfium.FPDFText_CountChars(self._handle)
        place = ctypes.byref(box)
        unicode, loose = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetLooseCharBox
        for index in range(min(count, MAX_CHARACTERS)):
            code = unicode(self._handle, index)
            if code in {0x20, 0xA0, 0x3000}:
                self._space = True
                continue
            if code in {0x0A, 0x0D}:
                self._close()
                continue
            if not loose(self._handle, index, place):
                continue
            self._found.count += 1
            if code == 0 or 0xE000 <= code <= 0xF8FF or code == 0xFFFD or 0xF0000 <= code <= 0x10FFFF:
                self._found.garbage += 1
            if code and not 0xD800 <= code <= 0xDFFF:
                self._take(_HYPHENS.get(code) or chr(code), index, *self._placed(box.left, box.top, box.right, box.bottom))
        self._close()
        if count > MAX_CHARACTERS:
            self._draft.warn("a page has more characters than are read")
        return self._found

    def _placed(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        """Points from the top left of the page as it is seen."""
        x0, x1, y0, y1 = left - self._left, right - self._left, self._top - top, self._top - bottom
        wide, high = self._right - self._left, self._top - self._bottom
        match self._turns:
            case 1:
                return high - y1, x0, high - y0, x1
            case 2:
                return wide - x1, high - y1, wide - x0, high - y0
            case 3:
                return y0, wide - x1, y1, wide - x0
        return x0, y0, x1, y1

    def _take(self, character: str, index: int, x0: float, y0: float, x1: float, y1: float) -> None:
        now = self._open
        if (
            now is not None
            and now.y0 - 0.5 <= (y0 + y1) / 2 <= now.y1 + 0.5
            and now.x1 - 0.6 * now.size <= x0 < now.x1 + WIDE_GAP * now.size
        ):
            size = now.size
            latin = self._space and now.text[-1] < "\u2e80" and character < "\u2e80"
            now.text += f" {character}" if latin or x0 - now.x1 > (0.2 if self._space else 0.35) * size else character
            now.x1 = max(now.x1, x1)
            now.y0, now.y1 = min(now.y0, y0), max(now.y1, y1)
        else:
            self._close()
            size = self._size(index, y1 - y0)
            bold = pdfium.FPDFText_GetFontWeight(self._handle, index) >= 600
            self._open = Span(character, x0, y0=y0, x1=x1, y1=y1, size=size, bold=bold) if self._is_read(index, size) else None
        self._space = False

    def _size(self, index: int, height: float) -> float:
        """Of the font as drawn: a matrix may scale it."""
        matrix = pdfium.FS_MATRIX()
        size = float(pdfium.FPDFText_GetFontSize(self._handle, index))
        if pdfium.FPDFText_GetMatrix(self._handle, index, ctypes.byref(matrix)):
            size *= math.hypot(matrix.c, matrix.d) or 1.0
        return size if 0.5 < size < 500 else max(height, 0.1)

    def _is_read(self, index: int, size: float) -> bool:
        if size < 1:
            self._draft.warn("text smaller than a point was left out")
            return False
        angle = math.degrees(pdfium.FPDFText_GetCharAngle(self._handle, index)) % 90
        if 2 < angle < 88:
            self._draft.warn("slanting text (a watermark) was left out")
            return False
        return True

    def _close(self) -> None:
        """The open span is whole. Text drawn twice at one place, for a bold look, counts once."""
        span, self._open, self._space = self._open, None, False
        if span is None or not span.text.strip():
            return
        place = (span.text, round(span.x0), round(span.y0))
        if place not in self._seen:
            self._seen[place] = None
            self._found.spans.append(span)
