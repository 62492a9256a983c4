"""Plain text: paragraphs between empty lines or indents, clause numbers as headings."""

from __future__ import annotations

import re

from documents import clauses
from documents.clean import join_lines
from documents.draft import Draft

_INDENT = re.compile(r"(?:\u3000{1,4}| {2,8}|\t)\S")
_SHORT = 0.7
"""A line that ends this much earlier than the longest ends its paragraph, in text that is broken into lines."""


def read(text: str, draft: Draft) -> None:
    """Into the draft."""
    lines = text.splitlines()
    stripped = [line.strip() for line in lines if line.strip()]
    draft.dotted = any(clauses.dotted_number(each) for each in stripped)
    widths = sorted(_width(each) for each in stripped)
    usual = widths[len(widths) * 9 // 10] if widths else 0
    waiting: list[str] = []
    for line in lines:
        bare = line.strip()
        if waiting and (not bare or _starts(line, bare) or _ended(waiting[-1], usual)):
            draft.prose(join_lines(waiting))
            waiting.clear()
        if bare:
            waiting.append(bare)
    draft.prose(join_lines(waiting))


SHORTEST = 36
"""Columns of a line that may be whole as it stands."""


def _width(text: str) -> int:
    """Columns: a CJK character takes two."""
    return sum(2 if each > "\u2e80" else 1 for each in text)


def _starts(line: str, bare: str) -> bool:
    """Whether a line starts a paragraph by itself."""
    marked = clauses.heading(bare) is not None or clauses.item(bare) or clauses.caption(bare) or clauses.unit(bare)
    return marked or _INDENT.match(line) is not None


def _ended(line: str, usual: int) -> bool:
    """Whether a line ends its paragraph: it is a heading, or much shorter than lines of this text are."""
    found = clauses.heading(line)
    whole = found is not None and found[1] == line and _width(line) < max(0.85 * usual, SHORTEST)
    return whole or _width(line) < _SHORT * min(usual, 120) or _width(line) > 200
