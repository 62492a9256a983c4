"""Automatic numbers of a Word document: they are in no text, yet a clause is cited by them."""

from __future__ import annotations

import re
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DIGITS = "零一二三四五六七八九"
_CHINESE = {
    "chineseCounting",
    "chineseCountingThousand",
    "ideographDigital",
    "japaneseCounting",
    "taiwaneseCounting",
    "taiwaneseCountingThousand",
}
_ROMAN = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)


class Numbers:
    """Counts as paragraphs are met in order. ``numbering`` and ``styles`` are roots of those parts."""

    def __init__(self, numbering: Any, styles: Any) -> None:
        self._levels: dict[str, dict[int, tuple[str, str, int]]] = {}
        self._lists: dict[str, str] = {}
        self._counts: dict[str, dict[int, int]] = {}
        styled = styles.findall(f"{W}style") if styles is not None else []
        self._styles = {each.get(f"{W}styleId"): found for each in styled if (found := each.find(f"{W}pPr/{W}numPr")) is not None}
        if numbering is None:
            return
        for abstract in numbering.findall(f"{W}abstractNum"):
            key = abstract.get(f"{W}abstractNumId") or ""
            self._levels[key] = {_number(level, f"{W}ilvl"): _level(level) for level in abstract.findall(f"{W}lvl")}
        for each in numbering.findall(f"{W}num"):
            self._lists[each.get(f"{W}numId") or ""] = _value(each, "abstractNumId")

    def of(self, paragraph: Any) -> str:
        """The number of a paragraph as it is drawn, a bullet as •, "" when it has none."""
        own = paragraph.find(f"{W}pPr/{W}numPr")
        style = paragraph.find(f"{W}pPr/{W}pStyle")
        styled = self._styles.get(style.get(f"{W}val")) if style is not None else None
        chosen = own if own is not None else styled
        if chosen is None:
            return ""
        abstract = self._lists.get(_value(chosen, "numId") or (_value(styled, "numId") if styled is not None else ""), "")
        depth = _value(chosen, "ilvl")
        at = int(depth) if depth.isdigit() else 0
        levels = self._levels.get(abstract, {})
        if at not in levels:
            return ""
        counts = self._counts.setdefault(abstract, {})
        counts[at] = counts.get(at, levels[at][2] - 1) + 1
        for deeper in [each for each in counts if each > at]:
            del counts[deeper]
        kind, text, _ = levels[at]
        if kind == "bullet":
            return "•"
        return (
            re.sub(r"%([1-9])", lambda found: self._drawn(levels, counts, int(found[1]) - 1, text), text).strip() if kind != "none" else ""
        )

    def _drawn(self, levels: dict[int, tuple[str, str, int]], counts: dict[int, int], at: int, text: str) -> str:
        kind, _, start = levels.get(at, ("decimal", "", 1))
        legal = kind in _CHINESE and text.count("%") > 1
        return drawn(counts.get(at, start), "decimal" if legal else kind)


def _level(level: Any) -> tuple[str, str, int]:
    start = _value(level, "start")
    return _value(level, "numFmt") or "decimal", _value(level, "lvlText"), int(start) if start.isdigit() else 1


def _value(node: Any, name: str) -> str:
    found = node.find(f"{W}{name}")
    return (found.get(f"{W}val") or "") if found is not None else ""


def _number(node: Any, name: str) -> int:
    value = node.get(name) or "0"
    return int(value) if value.isdigit() else 0


def drawn(count: int, kind: str) -> str:
    """A number in Word's name for its form."""
    count = min(max(count, 0), 99_999)
    if kind in _CHINESE:
        return chinese(count)
    if kind in {"lowerLetter", "upperLetter"}:
        letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letters.upper() if kind == "upperLetter" else letters
    if kind in {"lowerRoman", "upperRoman"}:
        return roman(count).upper() if kind == "upperRoman" else roman(count)
    if kind.startswith("decimalEnclosed") and 1 <= count <= 20:
        return chr(0x2460 + count - 1)
    return f"{count:02}" if kind == "decimalZero" else str(count)


def chinese(count: int) -> str:
    """1 to 9,999 in words: 一百零三."""
    if not 0 < count < 10_000:
        return str(count)
    text, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = count // unit % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + name
        gap = not digit
    return text.removeprefix("一") if 10 <= count < 20 else text


def roman(count: int) -> str:
    """In small letters."""
    text = ""
    for value, letters in _ROMAN:
        text += letters * (count // value)
        count %= value
    return text
