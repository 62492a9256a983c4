"""Text on pages: lines are broken at the page's width, pages at their end; headings, paragraphs, tables, running lines."""

from __future__ import annotations

from collections.abc import Sequence

from drills.corpus.pdf import Pdf, Sheet, width

LEFT, RIGHT, TOP, BOTTOM = 72.0, 523.0, 90.0, 770.0
LEADING = 1.7


class Typesetter:
    """Sets one document. ``running``: a line at the head of every page."""

    def __init__(self, title: str, running: str) -> None:
        self.pdf = Pdf(title)
        self._running = running
        self._sheet: Sheet | None = None
        self._y = BOTTOM

    def _room(self, height: float) -> Sheet:
        if self._sheet is None or self._y + height > BOTTOM:
            self._sheet = self.pdf.sheet()
            self._sheet.text(LEFT, 45, self._running, 9)
            self._sheet.text(290, 815, f"- {len(self.pdf.sheets)} -", 9)
            self._y = TOP
        return self._sheet

    def title(self, text: str) -> None:
        """In the middle, large."""
        sheet = self._room(60)
        sheet.text((LEFT + RIGHT - width(text, 20)) / 2, self._y + 20, text, 20)
        self._y += 50

    def heading(self, text: str, size: float = 14) -> None:
        """Larger type, with room around."""
        sheet = self._room(60)
        sheet.text(LEFT, self._y + 2 * size, text, size)
        self._y += 3 * size

    def paragraph(self, text: str, size: float = 10.5, indent: bool = True) -> None:
        """Broken into lines."""
        for line in broken(text, RIGHT - LEFT, size, 2 * size if indent else 0):
            sheet = self._room(LEADING * size)
            sheet.text(LEFT + (2 * size if indent else 0), self._y + size, line, size)
            indent = False
            self._y += LEADING * size
        self._y += 0.6 * size

    def table(self, caption: str, unit: str, rows: Sequence[Sequence[str]], widths: Sequence[float], *, ruled: bool) -> None:
        """With all lines, or with three across: above and below the labels and at the end."""
        height = 18.0
        sheet = self._room(30 + height * len(rows))
        sheet.text(LEFT, self._y + 12, caption, 10.5)
        if unit:
            sheet.text(LEFT + sum(widths) - width(unit, 9), self._y + 12, unit, 9)
        top = self._y + 20
        for at in range(len(rows) + 1) if ruled else (0, 1, len(rows)):
            sheet.line(LEFT, top + height * at, LEFT + sum(widths), top + height * at)
        edges = [LEFT + sum(widths[:at]) for at in range(len(widths) + 1)]
        for edge in edges if ruled else []:
            sheet.line(edge, top, edge, top + height * len(rows))
        for at, row in enumerate(rows):
            for edge, cell in zip(edges, row, strict=False):
                sheet.text(edge + 4, top + height * at + 12.5, cell, 9)
        self._y = top + height * len(rows) + 24


def broken(text: str, room: float, size: float, indent: float) -> list[str]:
    """Lines no wider than the room; Chinese breaks anywhere but before a closing mark, English between words."""
    lines, line, left = [], "", room - indent
    for word in _words(text):
        if width(line + word.rstrip(), size) > left and word[0] not in "，。；：、）》”":
            lines.append(line.rstrip())
            line, left = word.lstrip(), room
        else:
            line += word
    return [*lines, line.rstrip()]


def _words(text: str) -> list[str]:
    words: list[str] = []
    for each in text:
        if words and each < "\x7f" and words[-1][-1] < "\x7f" and words[-1][-1] != " ":
            words[-1] += each
        else:
            words.append(each)
    return words
