"""From blocks of a document to passages: structure first, then size.

A passage never goes over a heading or into the next clause. Short paragraphs of one clause stay together, long ones are cut between
sentences. A table is cut between rows; what continues it carries its header beside its text. Sizes are estimated, not counted by the
encoder's tokenizer, so that passages (and citations to them) don't change when the encoder does: one word piece for a CJK character, one
for four letters, one for two digits, which is more than XLM-R's pieces ever were on the texts that we tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import cast

from documents.parsed import Block, Heading, Paragraph, Parsed, Table
from documents.parsed import Box as ParsedBox

from rag.domain import clauses
from rag.domain.document import Box

VERSION = "chunks/1"
_PIECE = re.compile(r"[　-〿㐀-鿿豈-﫿＀-￯\U00020000-\U0003ffff]|[0-9]{1,2}|[^\W\d_]{1,4}|[^\s]")
_SENTENCE = re.compile(r"[^。！？；!?\n]*[。！？；!?\n]+[”’」』）)]*|(?:(?<=\.)\s+)|[^。！？；!?\n]+$")
_ENGLISH_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"(])")
_SHORT_CELL = " | "


@dataclass(frozen=True, slots=True)
class Draft:
    """A passage without access: see ``NewChunk``."""

    text: str
    heading_path: tuple[str, ...] = ()
    table_header: str = ""
    page: int = 0
    box: Box | None = None
    clause: str = ""
    record_id: str = ""


def pieces(text: str) -> int:
    """Return about how many word pieces a text has, rather too many than too few."""
    return sum(1 for _ in _PIECE.finditer(text))


def fits(text: str, most: int) -> bool:
    """Whether a text has at most so many word pieces: looks at no more of it than that takes."""
    return sum(1 for _ in islice(_PIECE.finditer(text), most + 1)) <= most


def drafts(parsed: Parsed, most: int) -> Iterator[Draft]:
    """Return the passages of a document, each of at most about ``most`` word pieces, in reading order, each as it is asked for."""
    for (_, path), run in groupby(_placed(parsed.blocks), key=lambda placed: placed[0]):
        for is_table, blocks in groupby(run, key=lambda placed: isinstance(placed[1], Table)):
            if is_table:
                for _, table in blocks:
                    yield from _table(cast(Table, table), path, most)
            else:
                yield from _paragraphs((cast(Paragraph, block) for _, block in blocks), path, most)


def _placed(blocks: Iterable[Block]) -> Iterator[tuple[tuple[int, tuple[str, ...]], Paragraph | Table]]:
    """Return what stands under headings, with how many there were so far and the texts of those above it."""
    levels: list[tuple[int, str]] = []
    place: tuple[int, tuple[str, ...]] = 0, ()
    for block in blocks:
        if not isinstance(block, Heading):
            yield place, block
            continue
        levels = [*((level, text) for level, text in levels if level < block.level), (block.level, block.text)]
        place = place[0] + 1, tuple(text for _, text in levels)
        if clauses.number(block.text):  # a heading that is a clause by itself can be asked for
            yield place, Paragraph(block.text, block.page)


def _paragraphs(paragraphs: Iterable[Paragraph], path: tuple[str, ...], most: int) -> Iterator[Draft]:
    """Gather what belongs to one clause, up to the size."""
    kept: list[Paragraph] = []
    size, clause = 0, ""
    for paragraph in paragraphs:
        for part in _parts(paragraph, most):
            begins = clauses.number(part.text)
            length = pieces(part.text)
            if begins and begins == clause and [_squeezed(each.text) for each in kept] == [begins]:
                kept, size = [], 0  # the clause's heading, which its first paragraph says again
            if kept and (begins or size + length > most):
                yield _draft(kept, path, clause)
                kept, size = [], 0
            clause = begins or clause
            kept.append(part)
            size += length
    if kept:
        yield _draft(kept, path, clause)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _draft(kept: Sequence[Paragraph], path: tuple[str, ...], clause: str) -> Draft:
    first = kept[0]
    return Draft(
        text="\n".join(each.text for each in kept),
        heading_path=path,
        page=first.page or 0,
        box=_around(each.box for each in kept if each.page == first.page),
        clause=clause,
    )


def _parts(paragraph: Paragraph, most: int) -> Iterator[Paragraph]:
    if fits(paragraph.text, most):
        yield paragraph
        return
    for text in split(paragraph.text, most):
        yield replace(paragraph, text=text)


def split(text: str, most: int) -> Iterator[str]:
    """Cut a text between sentences, and a sentence that is too long between words, so that no part has more than ``most`` pieces."""
    kept, size = "", 0
    for sentence in _sentences(text):
        for piece in _cut(sentence, most):
            length = pieces(piece)
            if kept and size + length > most:
                yield kept.strip()
                kept, size = "", 0
            kept += piece
            size += length
    if kept.strip():
        yield kept.strip()


def _sentences(text: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(text):
        stretch, start = match[0], 0
        for end in _ENGLISH_END.finditer(stretch):
            yield stretch[start : end.end()]
            start = end.end()
        if start < len(stretch):
            yield stretch[start:]


def _cut(sentence: str, most: int) -> Iterator[str]:
    start, size = 0, 0
    for found in _PIECE.finditer(sentence):
        if size == most:
            yield sentence[start : found.start()]
            start, size = found.start(), 0
        size += 1
    yield sentence[start:]


def _table(table: Table, path: tuple[str, ...], most: int) -> Iterator[Draft]:
    """Rows as lines, cells between bars. What continues a table has its caption and header rows beside it."""
    header = "\n".join(line for line in (table.caption, *map(_row, table.header)) if line)
    below = (*path, table.sheet) if table.sheet and table.sheet not in path else path
    box, page = _box(table.box), table.page or 0
    first = Draft("", below, "", page, box)
    room = max(most - pieces(header), most // 4)
    lines, size = ([header] if header else []), 0
    begun = False
    for row in table.rows:
        for line in _row_parts(_row(row), room):
            length = pieces(line)
            if size and size + length > room:
                yield replace(first, text="\n".join(lines), table_header=header if begun else "")
                begun, lines, size = True, [], 0
            lines.append(line)
            size += length
    if lines:
        yield replace(first, text="\n".join(lines), table_header=header if begun else "")


def _row_parts(line: str, room: int) -> Iterable[str]:
    return (line,) if fits(line, room) else split(line, room)


def _row(cells: Sequence[str]) -> str:
    """Return a row; a merged cell, which stands in each place that it covers, is written once."""
    once = [cell for place, cell in enumerate(cells) if place == 0 or cell != cells[place - 1] or not cell or _is_number(cell)]
    return _SHORT_CELL.join(each.replace("\n", " ") for each in once).strip()


def _is_number(cell: str) -> bool:
    return any(character.isdigit() for character in cell)


def _box(box: ParsedBox | None) -> Box | None:
    return None if box is None else Box(box.x0, box.y0, box.x1, box.y1)


def _around(boxes: Iterable[ParsedBox | None]) -> Box | None:
    known = [box for box in boxes if box is not None]
    if not known:
        return None
    return Box(min(b.x0 for b in known), min(b.y0 for b in known), max(b.x1 for b in known), max(b.y1 for b in known))
