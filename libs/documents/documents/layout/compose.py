"""Pages become a document: what repeats at their edges goes, large type is a heading, a paragraph may go on over a page's end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from documents import clauses
from documents.clean import clean, join_lines
from documents.draft import Draft
from documents.layout import flow, tables
from documents.layout.page import Line, Page, lines

_DIGITS = re.compile(r"[0-9０-９]+|[一二三四五六七八九十]+(?=\s?页)|\b[ivxlc]+\b", re.IGNORECASE)
_PAGE_NUMBER = re.compile(
    r"[-–—·\s]*(?:第\s?)?#\s?(?:页)?\s?(?:(?:[/,，of]|共)\s?#?\s?(?:共)?\s?#?\s?(?:页)?)*[-–—·\s]*$|page\s?#(?:\s?of\s?#)?$", re.IGNORECASE
)
_COMMAS = re.compile("[，；。]")
EDGE_LINES = 3
"""At the top and at the bottom of a page: where running lines are looked for."""


@dataclass(slots=True)
class Composer:
    """``outline``: titles of the document's own outline and their levels."""

    draft: Draft
    outline: Mapping[str, int] = field(default_factory=dict)
    _open: flow.Passage | None = None
    _page: int = 0

    def compose(self, pages: Sequence[Page]) -> None:
        """Into the draft."""
        _drop_running(pages)
        body, sizes = _sizes(pages)
        for page in pages:
            found = tables.extract(page)
            for item in flow.ordered(page, found):
                if isinstance(item, flow.Passage):
                    self._passage(item, page.number, body, sizes)
                else:
                    self._close(body, sizes)
                    self.draft.table(item.header, item.rows, page=page.number, box=item.box)
        self._close(body, sizes)

    def _passage(self, passage: flow.Passage, page: int, body: float, sizes: Sequence[float]) -> None:
        before = self._open
        if before is not None and before.full and page - self._page <= 1 and _goes_on(before, passage):
            before.lines = [*before.lines, *passage.lines]
            before.full = passage.full
            return
        self._close(body, sizes)
        self._open, self._page = passage, page

    def _close(self, body: float, sizes: Sequence[float]) -> None:
        passage, self._open = self._open, None
        if passage is None:
            return
        text = clean(passage.text)
        level = self._level(passage, text, body, sizes)
        if level:
            self.draft.heading(level, text, self._page)
        else:
            self.draft.prose(text, self._page, passage.box)

    def _level(self, passage: flow.Passage, text: str, body: float, sizes: Sequence[float]) -> int:
        if (level := self.outline.get(key(text))) is not None:
            return level
        title = (
            len(text) <= 80
            and len(passage.lines) <= 3
            and text[-1:] not in "。；;，,:：."
            and not clauses.caption(text)
            and not clauses.unit(text)
        )
        if (
            not title
            or (len(text) > 30 and _COMMAS.search(text))
            or clauses.heading(text) is not None
            or not any(each.isalpha() for each in text)
        ):
            return 0
        if passage.size > 1.12 * body:
            return 1 + next((at for at, size in enumerate(sizes) if passage.size > 0.97 * size), len(sizes))
        return 1 + len(sizes) if passage.bold and len(text) <= 60 and not clauses.item(text) else 0


def key(text: str) -> str:
    """A title without what differs between outline and page."""
    return re.sub(r"[\s.．、:：]+", "", text).lower()


def _goes_on(before: flow.Passage, passage: flow.Passage) -> bool:
    last, first = before.lines[-1].text, passage.lines[0].text
    same = abs(before.lines[-1].size - passage.size) < 0.1 * passage.size and before.lines[-1].bold == passage.lines[0].bold
    return same and len(before.text) > 20 and last[-1] not in flow.ENDS and not flow.starts(first)


def _sizes(pages: Sequence[Page]) -> tuple[float, list[float]]:
    """Size of most text, and the larger ones of headings, largest first, five at most."""
    counts: Counter[float] = Counter()
    for page in pages:
        for span in page.spans:
            counts[round(2 * span.size) / 2] += len(span.text)
    body = counts.most_common(1)[0][0] if counts else 10.0
    larger: list[float] = []
    for size in sorted((each for each in counts if each > 1.12 * body), reverse=True):
        if not larger or size < 0.95 * larger[-1]:
            larger.append(size)
    return body, larger[:5]


def _drop_running(pages: Sequence[Page]) -> None:
    """Lines that stand at the same place of the edges of at least three pages (all of two), numbers apart; page numbers on any."""
    edges = [[(_signature(line, page), line) for line in _edge_lines(page)] for page in pages]
    counts = Counter(signature for page in edges for signature in {each for each, _ in page})
    many = max(2 if len(pages) == 2 else 3, len(pages) // 20)
    for page, found in zip(pages, edges, strict=True):
        gone = {
            id(span)
            for signature, line in found
            if (counts[signature] >= many and _outside(line, page))
            or (len(pages) > 1 and _PAGE_NUMBER.match(signature[0]) and _outside(line, page))
            for span in line.spans
        }
        page.spans = [each for each in page.spans if id(each) not in gone]


def _edge_lines(page: Page) -> list[Line]:
    found = lines(page.spans)
    return found if len(found) <= 2 * EDGE_LINES else found[:EDGE_LINES] + found[-EDGE_LINES:]


def _signature(line: Line, page: Page) -> tuple[str, int]:
    return _DIGITS.sub("#", join_lines([line.text]).lower()), round(line.box.y0 / max(page.height, 1) * 40)


def _outside(line: Line, page: Page) -> bool:
    """In the outer eighths of the page's height."""
    return line.box.y1 < page.height / 8 or line.box.y0 > 7 * page.height / 8
