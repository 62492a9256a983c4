"""Lines drawn on a page of a PDF, and how much of it images cover."""

from __future__ import annotations

import ctypes
from typing import Any

import pypdfium2.raw as pdfium

from documents.layout.page import Rule

THIN = 2.5
"""Points: a filled rectangle that is thinner is a line."""
MAX_OBJECTS = 20_000
MAX_SEGMENTS = 4_000
"""Of a page and of a path; drawings with more are no tables."""


class _Rules:
    """Collects; ``top`` and ``left`` of the page."""

    def __init__(self, left: float, top: float) -> None:
        self.across: list[Rule] = []
        self.down: list[Rule] = []
        self.pictures = 0.0
        self._left, self._top = left, top

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """In the page's own coordinates (up is positive)."""
        x0, x1 = sorted((x0 - self._left, x1 - self._left))
        y0, y1 = sorted((self._top - y0, self._top - y1))
        if y1 - y0 <= THIN and x1 - x0 > 2 * THIN:
            self.across.append(Rule((y0 + y1) / 2, x0, x1))
        elif x1 - x0 <= THIN and y1 - y0 > 2 * THIN:
            self.down.append(Rule((x0 + x1) / 2, y0, y1))


def rules(page: Any) -> tuple[list[Rule], list[Rule], float]:
    """Lines across, lines down, area of images in square points. Of a turned page no lines."""
    left, _, _, top = page.get_bbox()
    found = _Rules(left, top)
    for index in range(min(pdfium.FPDFPage_CountObjects(page), MAX_OBJECTS)):
        item = pdfium.FPDFPage_GetObject(page, index)
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            x0, y0, x1, y1 = _bounds(item)
            found.pictures += (x1 - x0) * (y1 - y0)
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            _path(item, found)
    if pdfium.FPDFPage_GetRotation(page):
        return [], [], found.pictures
    return _joined(found.across), _joined(found.down), found.pictures


def _bounds(item: Any) -> tuple[float, float, float, float]:
    sides = [ctypes.c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(item, *(ctypes.byref(each) for each in sides))
    return sides[0].value, sides[1].value, sides[2].value, sides[3].value


def _path(item: Any, found: _Rules) -> None:
    x0, y0, x1, y1 = _bounds(item)
    if x1 - x0 <= THIN or y1 - y0 <= THIN:
        found.line(x0, y0, x1, y1)
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(item, ctypes.byref(fill), ctypes.byref(stroke))
    count = pdfium.FPDFPath_CountSegments(item)
    if not stroke.value or not 0 < count <= MAX_SEGMENTS:
        return
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(item, ctypes.byref(matrix))
    _segments(item, count, matrix, found)


def _segments(item: Any, count: int, matrix: Any, found: _Rules) -> None:
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = (0.0, 0.0)
    for index in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(item, index)
        pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = (matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            found.line(*last, *point)
        last = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            found.line(*last, *start)


def _joined(rules: list[Rule]) -> list[Rule]:
    """Pieces of one line made whole."""
    whole: list[Rule] = []
    for rule in sorted(rules, key=lambda each: (round(each.at), each.start)):
        last = whole[-1] if whole else None
        if last is not None and abs(last.at - rule.at) < 1.5 and rule.start <= last.end + 1.5:
            whole[-1] = Rule(last.at, last.start, max(last.end, rule.end))
        else:
            whole.append(rule)
    return whole
