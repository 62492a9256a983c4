"""HTML: what a reader would see. Scripts, styles and hidden elements are dropped, also those that a class of the page's own style hides.

The tree is walked without recursion. Lexbor's time grows with the square of the depth, so the depth is estimated before it parses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from documents.clean import join_lines
from documents.draft import Draft
from documents.encoding import decode
from documents.errors import TooLarge
from documents.formats.grid import Cell, filled

_DROPPED = frozenset(
    (
        "script", "style", "noscript", "template", "iframe", "object", "embed", "audio", "video", "canvas", "svg", "map", "select",
        "button", "textarea", "input", "datalist", "nav", "dialog",
    )
)  # fmt: skip
_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption",
        "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "ol", "p", "pre", "section", "summary", "table",
        "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "caption", "h1", "h2", "h3", "h4", "h5", "h6",
    )
)  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,30})", re.IGNORECASE)
_ZERO = r"\s*:\s*0*(?:\.0+)?(?:px|em|rem|pt|%)?\s*(?:;|$|!)"
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|clip\s*:\s*rect\(\s*0"
    rf"|(?<![-\w])opacity{_ZERO}|font-size{_ZERO}|(?<![-\w])(?:max-)?(?:width|height){_ZERO}"
    r"|(?:text-indent|(?<![-\w])left|(?<![-\w])top)\s*:\s*-[0-9]{3,}",
    re.IGNORECASE,
)
_RULE = re.compile(r"([^{}]{1,500})\{([^{}]{0,2000})\}")
_SIMPLE = re.compile(r"[.#][\w-]+")
_TAG = re.compile(r"<(/?)(?!(?:p|li|t[drh]|d[dt]|option|br|hr|img|input|meta|link|col|wbr)\b)[a-zA-Z][^<>]*(/?)>")


def read(content: bytes, draft: Draft) -> str:
    """Into the draft; returns the encoding."""
    declared = _CHARSET.search(content[:4096])
    text, encoding = decode(content, declared[1].decode("ascii", "replace") if declared else "")
    _check_depth(text, draft.limits.max_depth)
    tree = LexborHTMLParser(text)
    title = tree.css_first("title")
    draft.title = title.text() if title is not None else ""
    for meta in tree.css("meta[name][content]")[:50]:
        draft.metadata[(meta.attributes["name"] or "").lower()] = meta.attributes["content"] or ""
    hidden = frozenset(name for style in tree.css("style") for name in _hiding(style.text()))
    if tree.body is not None:
        _Reader(draft, hidden).read(tree.body)
    return encoding


def _check_depth(text: str, most: int) -> None:
    depth = 0
    for tag in _TAG.finditer(text):
        depth += -1 if tag[1] else 0 if tag[2] else 1
        if depth > most:
            raise TooLarge(f"elements nested deeper than {most}", "TOO_DEEP")


def _hiding(style: str) -> Iterator[str]:
    """Classes and ids that a style sheet hides: selectors of one class or id alone."""
    for selectors, body in _RULE.findall(style[:200_000]):
        if _HIDING.search(body):
            yield from (each.strip() for each in selectors.split(",") if _SIMPLE.fullmatch(each.strip()))


class _Reader:
    """Collects text of inline elements until a block begins or ends."""

    def __init__(self, draft: Draft, hidden: frozenset[str]) -> None:
        self._draft = draft
        self._hidden = hidden
        self._pieces: list[str] = []
        self._lists: list[int | None] = []
        self._marks: list[str] = []
        self._kinds: list[str] = []

    def read(self, root: Any) -> None:
        for node, leaving in self._walk(root):
            tag = node.tag
            if tag == "-text":
                self._pieces.append(node.text_content or "")
            elif tag == "br":
                self._pieces.append("\n")
            elif tag in _BLOCKS:
                self._flush()
                self._turn(node, tag, leaving)
        self._flush()

    def _walk(self, root: Any) -> Iterator[tuple[Any, bool]]:
        """Visible nodes in order, blocks again when they are left. Data tables are read whole on the way."""
        todo: list[tuple[Any, bool]] = [(root, False)]
        while todo:
            node, leaving = todo.pop()
            if leaving:
                yield node, True
                continue
            if node.next is not None and node.mem_id != root.mem_id:
                todo.append((node.next, False))
            if node.tag != "-text" and (node.tag in _DROPPED or node.tag[0] in "-!" or self._unseen(node)):
                continue
            if node.tag == "table" and self._table(node):
                continue
            yield node, False
            if node.tag in _BLOCKS:
                todo.append((node, True))
            if node.child is not None:
                todo.append((node.child, False))

    def _unseen(self, node: Any) -> bool:
        attributes = node.attributes
        if not attributes:
            return False
        if "hidden" in attributes or attributes.get("aria-hidden") == "true" or _HIDING.search(attributes.get("style") or ""):
            return True
        if not self._hidden:
            return False
        names = [f".{each}" for each in (attributes.get("class") or "").split()] + [f"#{attributes.get('id')}"]
        return any(each in self._hidden for each in names)

    def _turn(self, node: Any, tag: str, leaving: bool) -> None:
        if tag in {"ul", "ol"}:
            if leaving:
                self._lists.pop()
            else:
                self._lists.append(_number(node.attributes.get("start"), 1, 1 << 30) if tag == "ol" else None)
        elif tag == "li" and not leaving:
            self._marks = [self._mark()]
        if tag in _HEADINGS or tag == "pre":
            if leaving:
                self._kinds.pop()
            else:
                self._kinds.append(tag)

    def _mark(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "•"
        self._lists[-1] = number + 1
        return f"{number}."

    def _flush(self) -> None:
        if not self._pieces:
            return
        raw = "".join(self._pieces)
        self._pieces.clear()
        kind = self._kinds[-1] if self._kinds else ""
        if kind == "pre":
            self._draft.paragraph(raw, lines=True)
            return
        for part in re.split(r"\n\s*\n", raw) if "\n" in raw else [raw]:
            text = _flowing(part)
            if not text:
                continue
            if kind:
                self._draft.heading(_HEADINGS[kind], text)
            elif self._marks:
                self._draft.paragraph(f"{self._marks.pop()} {text}", style="list")
            else:
                self._draft.prose(text)

    def _table(self, table: Any) -> bool:
        """Reads a table of data and says so. One with tables inside, or with one cell, is layout and is walked."""
        if any(each.mem_id != table.mem_id for each in table.css("table")) or table.css_first("td h1, td h2, td h3") is not None:
            return False
        rows = [row for row in table.css("tr") if not self._under_hidden(row, table)]
        cells = [[self._cell(each) for each in _children(row) if each.tag in {"td", "th"} and not self._unseen(each)] for row in rows]
        if sum(map(len, cells)) < 2:
            return False
        self._flush()
        grid = filled(cells, self._draft)
        head = 0
        while head < len(cells) - 1 and (all(each.label for each in cells[head]) or rows[head].parent.tag == "thead"):
            head += 1
        caption = table.css_first("caption")
        title = self._seen(caption) if caption is not None and not self._unseen(caption) else ""
        self._draft.table(grid[:head], grid[head:], title)
        return True

    def _under_hidden(self, node: Any, top: Any) -> bool:
        while node is not None and node.mem_id != top.mem_id:
            if self._unseen(node):
                return True
            node = node.parent
        return False

    def _cell(self, node: Any) -> Cell:
        across, down = (_number(node.attributes.get(name), 1, 1_000) for name in ("colspan", "rowspan"))
        return Cell(self._seen(node), across, down or 1_000, node.tag == "th")

    def _seen(self, root: Any) -> str:
        pieces: list[str] = []
        todo = [root.child] if root.child is not None else []
        while todo:
            node = todo.pop()
            if node.next is not None:
                todo.append(node.next)
            if node.tag == "-text":
                pieces.append(node.text_content or "")
            elif node.tag in _DROPPED or node.tag[0] in "-!" or self._unseen(node):
                continue
            elif node.child is not None:
                todo.append(node.child)
            if node.tag in _BLOCKS or node.tag == "br":
                pieces.append("\n")
        return _flowing("".join(pieces))


def _flowing(raw: str) -> str:
    """Line feeds of the source are spaces, but nothing between CJK characters."""
    return join_lines(raw.splitlines())


def _children(node: Any) -> Iterator[Any]:
    child = node.child
    while child is not None:
        yield child
        child = child.next


def _number(value: str | None, otherwise: int, most: int) -> int:
    return min(int(value), most) if value and re.fullmatch(r"[0-9]{1,9}", value.strip()) else otherwise
