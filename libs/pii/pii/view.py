"""The one normalisation, with the way back to the original characters.

Characters that are written otherwise but mean a digit, a letter or a sign of ASCII become it (NFKC, digits of every script, circled ones);
zero-width, bidi and combining characters go. Everything else stays in its place, so that ordinary text, Chinese text above all, is its own
view: punctuation and emoji only separate, and Chinese numerals stay what they are, since 一 is a word more often than a digit; `stretch.py`
reads them as digits where digits stand together.

A map holds the places where view and source drift apart, not one number a character.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache

_WRITTEN = (
    "零〇洞",
    "一壹弌幺",
    "二贰貳弍貮两兩",
    "三叁參叄叅弎参",
    "四肆",
    "五伍",
    "六陆陸",
    "七柒拐",
    "八捌",
    "九玖勾",
)  # financial, telephone
NUMERALS = {character: str(digit) for digit, characters in enumerate(_WRITTEN) for character in characters}
_STAYS = frozenset("，！？；：（）。、～　“”‘’…—·")
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters by category, and invisible
_ASTRAL = "\U00010000-\U0001fbff\U000e0000-\U000e01ff"  # looked at one by one: hundreds of ranges would cost every Chinese character


class View:
    """Normalised text. ``source(start, end)`` gives the characters of the original that a stretch came from."""

    __slots__ = ("_offsets", "_starts", "_widths", "text")

    def __init__(self, text: str, starts: list[int], offsets: list[int], widths: list[int] | None = None) -> None:
        """From ``starts[i]`` on the view comes from ``offsets[i]`` on, ``widths[i]`` characters (1 when None) to one of the view."""
        self.text = text
        self._starts = starts
        self._offsets = offsets
        self._widths = widths

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return where a stretch of the view (not empty) came from."""
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, at: int) -> tuple[int, int]:
        piece = bisect_right(self._starts, at) - 1
        if piece < 0:
            return at, at + 1
        width = 1 if self._widths is None else self._widths[piece]
        first = self._offsets[piece] + (at - self._starts[piece]) * width
        return first, first + width


@cache
def _tables() -> tuple[dict[str, str], re.Pattern[str]]:
    """Return what each such character becomes, and a pattern of runs that may hold some."""
    table: dict[str, str] = {}
    for code in (*range(0x80, 0xD800), *range(0xE000, 0x1FC00), *range(0xE0000, 0xE0200)):
        meaning = _meaning(chr(code))
        if meaning is not None:
            table[chr(code)] = meaning
    return table, re.compile(f"[{_ranges([character for character in table if ord(character) < 0x10000])}{_ASTRAL}]+")


def _meaning(character: str) -> str | None:
    if character in _STAYS or character in NUMERALS:
        return None
    if unicodedata.category(character) in ("Cf", "Mn", "Me") or character in _FILLERS:
        return ""
    value = unicodedata.numeric(character, -1)
    if value in range(10) and len(unicodedata.normalize("NFKC", character)) == 1 and _is_digit(character):
        return str(int(value))
    compatible = unicodedata.normalize("NFKC", character)
    if compatible == character or compatible.isspace():
        return None
    if compatible.isascii() and len(compatible) <= 3:
        return compatible
    return compatible if len(compatible) == 1 and "\u4e00" <= compatible <= "\u9fff" else None


def _is_digit(character: str) -> bool:
    """Of any script, circled or raised; not a letter that is a number too, such as Ⅷ."""
    return unicodedata.category(character) in ("Nd", "No") or "HANGZHOU NUMERAL" in unicodedata.name(character, "")


def _ranges(characters: list[str]) -> str:
    codes = sorted(map(ord, characters))
    parts: list[str] = []
    first = last = codes[0]
    for code in [*codes[1:], -1]:
        if code != last + 1:
            parts.append(f"{re.escape(chr(first))}-{re.escape(chr(last))}")
            first = code
        last = code
    return "".join(parts)


def folded(text: str) -> View | None:
    """Return the view of a text, None when it is its own."""
    if text.isascii():
        return None
    table, pattern = _tables()
    parts: list[str] = []
    starts: list[int] = []
    offsets: list[int] = []
    at = size = 0
    for run in pattern.finditer(text):
        start, end = run.span()
        raw = run[0]
        meanings = [table.get(character, character) for character in raw]
        meaning = "".join(meanings)
        if meaning == raw:
            continue
        parts += (text[at:start], meaning)
        size += start - at
        at = end
        if len(meaning) != end - start or "" in meanings:  # else one for one
            _drift(meanings, size, start, starts, offsets)
        size += len(meaning)
    if not parts:
        return None
    parts.append(text[at:])
    return View("".join(parts), starts, offsets)


def _drift(meanings: list[str], at: int, offset: int, starts: list[int], offsets: list[int]) -> None:
    """Note where the view drifts apart from its source: after a character that goes, in and after one that grows."""
    for meaning in meanings:
        offset += 1
        length = len(meaning)
        at += length
        if length != 1:
            for number in range(at - length + 1, at):
                starts.append(number)
                offsets.append(offset - 1)
            starts.append(at)
            offsets.append(offset)
