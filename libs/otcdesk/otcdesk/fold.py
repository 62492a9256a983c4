"""A text as model and instrument master read it: compatibility forms, full width, case, traditional characters, formal numerals folded.

Surprising: each character is folded by itself, so that every folded character has one place in the client's text. What the model copies
is found again in the client's own words. What says nothing (emoji, zero width, controls) becomes one blank. No folded text has a double
quotation mark, so none can spell a piece of the model's own text.
"""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import dataclass
from functools import cache

import opencc

_SILENT = {"So", "Sk", "Cc", "Cf", "Cn", "Co", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"}
_NEWLINE = "\n"
_HANZI = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00))
_SAME = {
    '"': "'",
    "“": "'",
    "”": "'",
    "「": "'",
    "」": "'",
    "『": "'",
    "』": "'",
    "‘": "'",
    "’": "'",
    "—": "-",
    "–": "-",
    "−": "-",
    "～": "~",
    "·": ".",
}
_FORMAL = dict(zip("〇零壹贰叁肆伍陆柒捌玖拾佰仟", "零零一二三四五六七八九十百千", strict=True))
"""Numerals as they stand on cheques."""


@dataclass(frozen=True, slots=True)
class Folded:
    """``text``: folded. ``places``: for each of its characters, where it stands in the original, in code points."""

    original: str
    text: str
    places: tuple[int, ...]

    def words(self, copied: str) -> str | None:
        """Return the client's own words for a part of the folded text, the last one that is so; None when it is no part of it."""
        start = self.text.rfind(copied) if copied else -1
        return self.part((start, start + len(copied))) if start >= 0 else None

    def part(self, span: tuple[int, int] | None) -> str | None:
        """Return the client's own words for a stretch of the folded text."""
        return self.original[self.places[span[0]] : self.places[span[1] - 1] + 1] if span else None


def fold(text: str) -> Folded:
    """Fold a text; blanks are joined, none stands at its ends."""
    found: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for folded in folded_character(character):
            if folded == " " and (not found or found[-1] in (" ", _NEWLINE)):
                continue
            if folded == _NEWLINE and found and found[-1] in (" ", _NEWLINE):
                found[-1] = _NEWLINE
                continue
            found.append(folded)
            places.append(place)
    while found and found[-1] in (" ", _NEWLINE):
        found.pop()
        places.pop()
    start = 1 if found and found[0] == _NEWLINE else 0
    return Folded(text, "".join(found[start:]), tuple(places[start:]))


@cache
def folded_character(character: str) -> str:
    """Fold one character: none, one or several."""
    if character in "\n\r":
        return _NEWLINE
    found = []
    for each in unicodedata.normalize("NFKC", character).casefold():
        simple = _simplified().get(each, each)
        simple = _FORMAL.get(simple, _SAME.get(simple, simple))
        found.append(" " if unicodedata.category(simple) in _SILENT else simple)
    return "".join(found)


@cache
def _simplified() -> dict[str, str]:
    """Traditional Hanzi with a simplified form of their own (OpenCC's table), one by one."""
    hanzi = [chr(point) for start, end in _HANZI for point in range(start, min(end, sys.maxunicode))]
    simple = opencc.OpenCC("t2s").convert("\n".join(hanzi)).split("\n")
    return {one: other for one, other in zip(hanzi, simple, strict=True) if one != other and len(other) == 1}
