"""Markdown as people write it: headings, lists, pipe tables, code, quotes; marks of emphasis and links go, their text stays."""

from __future__ import annotations

import re

from documents.clean import join_lines
from documents.draft import Draft

_ATX = re.compile(r"\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_RULE = re.compile(r"\s{0,3}([-*_])(?:\s*\1){2,}\s*$")
_SETEXT = re.compile(r"\s{0,3}(=+|-+)\s*$")
_ITEM = re.compile(r"\s*(?:[-*+]|[0-9]{1,9}[.)])\s+\S")
_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_BAR = re.compile(r"(?<!\\)\|")
_INLINE = (
    (re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)"), r"\1"),
    (re.compile(r"\[([^\]\n]+)\](?:\([^)\n]*\)|\[[^\]\n]*\])"), r"\1"),
    (re.compile(r"<(https?://[^>\s]+)>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^<>]*>"), " "),
    (re.compile(r"(\*\*\*|\*\*|~~|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])([*_])(?=[^\s*_])([^*_\n]+?)(?<=\S)\1(?![\w*])"), r"\2"),
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])"), r"\1"),
)
_COMMENT = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_FRONT = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_KEY = re.compile(r"([A-Za-z_][\w-]*)\s*:\s*(\S.*)$", re.MULTILINE)


def read(text: str, draft: Draft) -> None:
    """Into the draft."""
    text = "\n".join(text.splitlines()) + "\n"
    if front := _FRONT.match(text):
        draft.metadata = {key.lower(): value.strip("\"' ") for key, value in _KEY.findall(front[1])}
        draft.title = draft.metadata.get("title", "")
        text = text[front.end() :]
    _Reader(_COMMENT.sub("", text).split("\n"), draft).read()


def inline(text: str) -> str:
    """Without marks."""
    for pattern, kept in _INLINE:
        text = pattern.sub(kept, text)
    return text


class _Reader:
    """Walks over lines; ``_at`` is the next one, ``_waiting`` the lines of an open paragraph."""

    def __init__(self, lines: list[str], draft: Draft) -> None:
        self._lines = lines
        self._draft = draft
        self._at = 0
        self._waiting: list[str] = []

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if found := _FENCE.match(line):
                self._close()
                self._code(found[1])
            elif found := _ATX.match(line):
                self._close()
                self._draft.heading(len(found[1]), inline(found[2]))
            elif self._waiting and (found := _SETEXT.match(line)):
                self._draft.heading(1 if found[1][0] == "=" else 2, inline(join_lines(self._waiting)))
                self._waiting.clear()
            elif self._is_table(line):
                self._close()
                self._table(line)
            elif not line.strip() or _RULE.match(line):
                self._close()
            else:
                self._text(line)
        self._close()

    def _text(self, line: str) -> None:
        bare = line.strip().lstrip("> ") if line.lstrip().startswith(">") else line
        if _ITEM.match(bare):
            self._close()
        elif not self._waiting and (line.startswith(("    ", "\t")) and not line.strip().startswith(("-", "*", "+"))):
            self._indented(line)
            return
        self._waiting.append(bare.strip())

    def _close(self) -> None:
        if self._waiting:
            listed = _ITEM.match(self._waiting[0])
            text = inline(join_lines(self._waiting))
            self._waiting.clear()
            if listed:
                self._draft.paragraph(text, style="list")
            else:
                self._draft.prose(text)

    def _code(self, fence: str) -> None:
        start = self._at
        while self._at < len(self._lines) and not self._lines[self._at].strip().startswith(fence):
            self._at += 1
        self._draft.paragraph("\n".join(self._lines[start : self._at]), lines=True)
        self._at += 1

    def _indented(self, line: str) -> None:
        code = [line]
        while self._at < len(self._lines) and self._lines[self._at].startswith(("    ", "\t")):
            code.append(self._lines[self._at])
            self._at += 1
        self._draft.paragraph("\n".join(code), lines=True)

    def _is_table(self, line: str) -> bool:
        below = self._lines[self._at] if self._at < len(self._lines) else ""
        return "|" in line and "-" in below and _DELIMITER.match(below) is not None and len(_cells(line)) == len(_cells(below))

    def _table(self, line: str) -> None:
        header = [_cells(line)]
        self._at += 1
        rows = []
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            rows.append(_cells(self._lines[self._at])[: len(header[0])])
            self._at += 1
        self._draft.table(header, rows)


def _cells(line: str) -> list[str]:
    bare = line.strip()
    bare = bare[1:] if bare.startswith("|") else bare
    bare = bare[:-1] if bare.endswith("|") and not bare.endswith("\\|") else bare
    return [inline(each.strip()) for each in _BAR.split(bare)]
