"""DOCX: paragraphs, headings by style or outline level, numbers as Word would draw them, tables, footnotes, text boxes.

Deleted and hidden text, field codes and comments are left out; inserted text is in. The tree is walked, not python-docx's view of it, which
knows neither text boxes nor content controls.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import docx
from docx.opc.exceptions import PackageNotFoundError
from lxml import etree

from documents.clean import clean
from documents.draft import Draft
from documents.errors import Malformed
from documents.formats.docx_numbers import Numbers
from documents.formats.grid import Cell, filled
from documents.layout.tables import labels

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED = frozenset(
    (
        f"{W}del",
        f"{W}moveFrom",
        f"{W}instrText",
        f"{W}delText",
        f"{W}rPr",
        f"{W}pPr",
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    )
)
_TEXT = {f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}softHyphen": ""}
_HEADING = re.compile(r"(?:heading|标题)\s?([1-9])$", re.IGNORECASE)


def read(content: memoryview, draft: Draft) -> None:
    """Into the draft. Raises Malformed."""
    try:
        document = docx.Document(io.BytesIO(content))
        body = document.element.body
    except (PackageNotFoundError, KeyError, ValueError, SyntaxError, AttributeError, IndexError) as error:
        raise Malformed("not a whole Word document") from error
    draft.metadata.update(_metadata(document))
    draft.title = draft.metadata.pop("title", "")
    _Reader(document, draft).read(body)


def _metadata(document: Any) -> dict[str, str]:
    core = document.core_properties
    found = {name: str(getattr(core, name) or "") for name in ("title", "author", "subject", "keywords", "category")}
    found |= {name: getattr(core, name).isoformat() for name in ("created", "modified") if getattr(core, name)}
    return {name: value for name, value in found.items() if value}


class _Reader:
    """Walks the body; ``_notes`` are footnotes and endnotes by kind and number."""

    def __init__(self, document: Any, draft: Draft) -> None:
        self._draft = draft
        styles = _part(document, "styles")  # python-docx would put its own in the place of missing ones, from a file that isn't there
        self._levels, names = _styles(styles)
        self._titles = {key for key, name in names.items() if name in {"title", "标题"}}
        self._numbers = Numbers(_part(document, "numbering"), styles)
        self._notes = {kind: _notes(document, kind) for kind in ("footnote", "endnote")}
        self._boxes: list[Any] = []

    def read(self, body: Any) -> None:
        for block in _blocks(body):
            if block.tag == f"{W}tbl":
                self._table(block)
            else:
                self._paragraph(block)

    def _paragraph(self, paragraph: Any) -> None:
        notes: list[tuple[str, str]] = []
        text = clean(self._text(paragraph, notes))
        number = self._numbers.of(paragraph) if text else ""
        style = _value(paragraph.find(f"{W}pPr/{W}pStyle"))
        level = self._level(paragraph, style)
        whole = f"{number} {text}".strip() if number and not text.startswith(number) else text
        if text and style in self._titles:
            self._draft.title = self._draft.title or text
            self._draft.heading(1, whole)
        elif level and len(text) <= 200:
            self._draft.heading(level, whole)
        elif number and text:
            self._numbered(number, whole)
        else:
            self._draft.prose(whole)
        for kind, key in notes:
            if note := self._notes[kind].get(key):
                self._draft.paragraph(f"[{key}] {note}", style="footnote")
        while self._boxes:
            self.read(self._boxes.pop(0))

    def _numbered(self, number: str, whole: str) -> None:
        """An automatic number makes an item of a list, unless it is one of a clause."""
        if re.match(r"第.+[编篇章节条]", number) or (re.match(r"[0-9]+(\.[0-9]+)+", number) and len(whole) <= 40):
            self._draft.prose(whole)
        else:
            self._draft.paragraph(whole, style="list")

    def _level(self, paragraph: Any, style: str) -> int:
        own = _value(paragraph.find(f"{W}pPr/{W}outlineLvl"))
        if own.isdigit():
            return int(own) + 1 if int(own) < 9 else 0
        return self._levels.get(style, 0)

    def _text(self, root: Any, notes: list[tuple[str, str]]) -> str:
        """Of a paragraph or cell, without what isn't seen; text boxes and notes are put aside."""
        pieces: list[str] = []
        todo = list(root)[::-1]
        while todo:
            node = todo.pop()
            tag = node.tag
            if tag == f"{W}t":
                pieces.append(node.text or "")
            elif tag in _TEXT:
                pieces.append(_TEXT[tag])
            elif tag in {f"{W}footnoteReference", f"{W}endnoteReference"}:
                key = node.get(f"{W}id") or ""
                notes.append((tag.removeprefix(W).removesuffix("Reference"), key))
                pieces.append(f"[{key}]")
            elif tag == f"{W}txbxContent":
                self._boxes.append(node)
            elif tag in _SKIPPED or not isinstance(tag, str) or (tag == f"{W}r" and _hidden(node)):
                continue
            else:
                if tag == f"{W}p" and pieces:
                    pieces.append("\n")
                todo.extend(list(node)[::-1])
        return "".join(pieces)

    def _table(self, table: Any) -> None:
        notes: list[tuple[str, str]] = []
        rows: list[list[Cell]] = []
        open_cells: dict[int, tuple[int, int]] = {}
        marked = 0
        for row in _under(table, f"{W}tr"):
            if marked == len(rows) and row.find(f"{W}trPr/{W}tblHeader") is not None:
                marked += 1
            rows.append(self._row(row, rows, open_cells, notes))
        grid = filled(rows, self._draft)
        if len(grid) == 1 or (grid and len(grid[0]) == 1):
            for line in grid:  # a frame around text
                self._draft.prose(" ".join(dict.fromkeys(line)))
        else:
            head = marked if 0 < marked < len(grid) else labels(grid) if grid else 0
            self._draft.table(grid[:head], grid[head:])
        for kind, key in notes:
            if note := self._notes[kind].get(key):
                self._draft.paragraph(f"[{key}] {note}", style="footnote")

    def _row(self, row: Any, rows: list[list[Cell]], open_cells: dict[int, tuple[int, int]], notes: list[tuple[str, str]]) -> list[Cell]:
        """``open_cells``: by column, row and place of the merged cell that may go on."""
        cells: list[Cell] = []
        column = _count(_value(row.find(f"{W}trPr/{W}gridBefore")), 0)
        cells.extend(Cell("") for _ in range(column))
        for cell in _under(row, f"{W}tc"):
            across = _count(_value(cell.find(f"{W}tcPr/{W}gridSpan")), 1)
            merge = cell.find(f"{W}tcPr/{W}vMerge")
            if merge is not None and _value(merge) != "restart" and column in open_cells:
                at, place = open_cells[column]
                above = rows[at][place]
                rows[at][place] = Cell(above.text, above.across, above.down + 1)
            else:
                if merge is not None:
                    open_cells[column] = len(rows), len(cells)
                else:
                    open_cells.pop(column, None)
                cells.append(Cell(clean(self._text(cell, notes)), across))
            column += across
        return cells


def _blocks(body: Any) -> Iterator[Any]:
    """Paragraphs and tables, those in content controls too."""
    todo = list(body)[::-1]
    while todo:
        node = todo.pop()
        if node.tag in {f"{W}p", f"{W}tbl"}:
            yield node
        elif node.tag in {f"{W}sdt", f"{W}sdtContent", f"{W}ins", f"{W}customXml", f"{W}smartTag"}:
            todo.extend(list(node)[::-1])


def _under(node: Any, tag: str) -> Iterator[Any]:
    for child in node:
        if child.tag == tag:
            yield child
        elif child.tag in {f"{W}sdt", f"{W}sdtContent", f"{W}ins", f"{W}customXml"}:
            yield from _under(child, tag)


def _hidden(run: Any) -> bool:
    vanish = run.find(f"{W}rPr/{W}vanish")
    return vanish is not None and _value(vanish) not in {"0", "false"}


def _value(node: Any) -> str:
    return (node.get(f"{W}val") or "") if node is not None else ""


def _count(value: str, otherwise: int) -> int:
    return min(int(value), 1_000) if value.isascii() and value.isdigit() else otherwise


def _styles(root: Any) -> tuple[dict[str, int], dict[str, str]]:
    """Level of a heading by style id, inherited ones too; names by style id."""
    names: dict[str, str] = {}
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    for style in root.findall(f"{W}style") if root is not None else []:
        key = style.get(f"{W}styleId") or ""
        names[key] = _value(style.find(f"{W}name")).lower()
        based[key] = _value(style.find(f"{W}basedOn"))
        own = _value(style.find(f"{W}pPr/{W}outlineLvl"))
        if found := _HEADING.match(names[key]):
            levels[key] = int(found[1])
        elif own.isdigit() and int(own) < 9:
            levels[key] = int(own) + 1
    for key in names:
        at, steps = key, 0
        while at and at not in levels and steps < 20:
            at, steps = based.get(at, ""), steps + 1
        if at in levels:
            levels[key] = levels[at]
    return levels, names


def _part(document: Any, kind: str) -> Any:
    """The root of a part that belongs to the document, None if there is none."""
    for relation in document.part.rels.values():
        if relation.reltype.endswith(f"/{kind}") and not relation.is_external:
            return etree.fromstring(relation.target_part.blob, etree.XMLParser(resolve_entities=False, no_network=True))
    return None


def _notes(document: Any, kind: str) -> dict[str, str]:
    root = _part(document, f"{kind}s")
    if root is None:
        return {}
    return {
        note.get(f"{W}id") or "": clean("".join(each.text or "" for each in note.iter(f"{W}t")))
        for note in root.findall(f"{W}{kind}")
        if note.get(f"{W}type") in {None, "normal"}
    }
