"""A document while it is read: takes what formats find, cleans it, counts it against the limits, and says what a paragraph is.

Formats call ``heading`` and ``table`` where markup says so and ``prose`` for everything else; captions and unit lines wait for the table
that they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from documents import clauses
from documents.clean import clean, hidden
from documents.errors import TooLarge
from documents.limits import Limits
from documents.parsed import Block, Box, Heading, Paragraph, Parsed, Style, Table

Rows = Sequence[Sequence[str]]


class Draft:
    """``dotted``: whether 1.1 was seen as a heading, so that ``1 总则`` is one too."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.title = ""
        self.pages = 0
        self.metadata: dict[str, str] = {}
        self.ocr_pages: list[int] = []
        self.dotted = False
        self._blocks: list[Block] = []
        self._waiting: list[Paragraph] = []
        self._warnings: list[str] = []
        self._characters = limits.max_characters
        self._cells = limits.max_cells
        self._hidden = 0

    def warn(self, text: str) -> None:
        """Say once what a reader should know."""
        if text not in self._warnings and len(self._warnings) < 100:
            self._warnings.append(text)

    def text(self, raw: str, *, lines: bool = False) -> str:
        """Cleaned and counted. Raises TooLarge TOO_MUCH_TEXT."""
        self._characters -= len(raw)
        if self._characters < 0:
            raise TooLarge(f"more than {self.limits.max_characters} characters", "TOO_MUCH_TEXT")
        self._hidden += hidden(raw)
        return clean(raw, lines=lines)

    def heading(self, level: int, raw: str, page: int | None = None) -> None:
        """A heading by markup."""
        if text := self.text(raw):
            self._add(Heading(min(max(level, 1), 9), text, page))

    def paragraph(self, raw: str, page: int | None = None, box: Box | None = None, style: Style = "body", *, lines: bool = False) -> None:
        """A paragraph whose kind is known. ``lines``: its line feeds stay (code)."""
        if text := self.text(raw, lines=lines):
            self._add(Paragraph(text, page, box, style))

    def prose(self, raw: str, page: int | None = None, box: Box | None = None) -> None:
        """Text without markup: its start says what it is."""
        text = self.text(raw)
        if not text:
            return
        if clauses.caption(text) or clauses.unit(text):
            self._wait(Paragraph(text, page, box, "caption"))
        elif (found := clauses.heading(text)) is not None:
            level, title = found
            self._add(Heading(level, title, page))
            if title != text:
                self._add(Paragraph(text, page, box))
        elif self.dotted and clauses.plain_number(text):
            self._add(Heading(2, text, page))
        else:
            self._add(Paragraph(text, page, box, "list" if clauses.item(text) else "body"))

    def table(self, header: Rows, rows: Rows, caption: str = "", page: int | None = None, box: Box | None = None, sheet: str = "") -> None:
        """A table; rows are padded to the widest. Raises TooLarge beyond the cells of a document."""
        width = max((len(row) for row in (*header, *rows)), default=0)
        self.count_cells(width * (len(header) + len(rows)))
        top = [self._row(row, width) for row in header]
        rest = [row for row in (self._row(row, width) for row in rows) if any(row)]
        kept = [column for column in range(width) if any(row[column] for row in (*top, *rest))]
        if not kept:
            return
        if len(kept) < width:
            top, rest = ([tuple(row[column] for column in kept) for row in some] for some in (top, rest))
        text = " ".join(filter(None, [*(each.text for each in self._waiting), self.text(caption)]))
        self._waiting.clear()
        self._add(Table(text, tuple(top), rows=tuple(rest), page=page, box=box, sheet=self.text(sheet)))

    def count_cells(self, count: int) -> None:
        """Before they are made."""
        self._cells -= count
        if self._cells < 0:
            raise TooLarge(f"more than {self.limits.max_cells} cells in tables")

    def _row(self, row: Sequence[str], width: int) -> tuple[str, ...]:
        return (*(self.text(each) if each else "" for each in row), *[""] * (width - len(row)))

    def _wait(self, caption: Paragraph) -> None:
        if clauses.of_figure(caption.text) or len(self._waiting) > 2:
            self._flush()
        self._waiting.append(caption)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._add(each)

    def _add(self, block: Block) -> None:
        if self._waiting:
            self._flush()
        if len(self._blocks) >= self.limits.max_blocks:
            raise TooLarge(f"more than {self.limits.max_blocks} blocks")
        self._blocks.append(block)

    def parsed(self, media_type: str, name: str) -> Parsed:
        """The whole. Without a title of its own it is called by its first heading, else its file's name."""
        self._flush()
        if self._hidden:
            self.warn(f"{self._hidden} hidden characters (zero-width, bidi, tags) were removed")
        first = next((each.text for each in self._blocks[:20] if not isinstance(each, Table) and _titular(each)), "")
        title = self.text(self.title) or first or self.text(name.rpartition(".")[0] or name)
        metadata = {self.text(key): self.text(value) for key, value in self._small(self.metadata.items())}
        warnings = tuple(clean(each) for each in self._warnings)
        return Parsed(
            title[:500].strip(),
            media_type,
            pages=self.pages,
            blocks=tuple(self._blocks),
            metadata=metadata,
            warnings=warnings,
            ocr_pages=tuple(self.ocr_pages),
        )

    @staticmethod
    def _small(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(key[:100], value[:1_000]) for key, value in items if value][:100]


def _titular(block: Heading | Paragraph) -> bool:
    """Whether it is a heading or looks like a title."""
    return isinstance(block, Heading) or (block.style == "body" and len(block.text) <= 60 and block.text[-1] not in "。；;，,：:.!！?？")
