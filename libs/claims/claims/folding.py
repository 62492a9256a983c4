"""Text as it is compared: one way of writing for what reads the same, and where each character came from.

Compatibility forms (full width, ligatures), letter case, traditional characters of amounts, letters of other scripts that look like Latin
ones, and dashes become one; characters that cannot be seen (zero width, direction marks, tags, soft hyphens) and controls go. What is
hidden in
a passage that way can't hide a number or a negation, and nothing here decodes or runs anything. A marker in a circle is no number: it
becomes a space.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u0432\u043a\u043c\u043d\u0442\u03bf\u03b1\u03bd\u03c1\u03c4\u03b9\u0261",
    "aeopcyxijsdqbkmhtoavptig",
)
_TRADITIONAL = str.maketrans(
    "萬億圓貳參兩負責險額費賠償單證據應當與為個國業務還無約條項總營運開關時間後從來對過動產資貸債權銀證準則調陸點週歲日號號內數實際給殘疾們類戶數幣損報",
    "万亿元贰叁两负责险额费赔偿单证据应当与为个国业务还无约条项总营运开关时间后从来对过动产资贷债权银证准则调陆点周岁日号号内数实际给残疾们类户数币损报",
)
_DASHES: dict[int, str] = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－~～〜∼"), "-")
_QUOTES: dict[int, str] = dict.fromkeys(map(ord, "“”„‟«»「」『』〝〞"), '"') | dict.fromkeys(map(ord, "‘’‚‛`´"), "'")
_SAME = _DASHES | _QUOTES | str.maketrans("圆【】〔〕〇", "元[][]零") | str.maketrans({"㎡": "平方米"})
_KEPT_CONTROLS = "\n\t"


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text; ``origin[i]`` is the place in the source of character i, and one more entry closes the list."""

    text: str
    origin: tuple[int, ...]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the stretch of the source, in code points, that a stretch of the folded text came from."""
        if start >= end:
            return self.origin[start], self.origin[start]
        return self.origin[start], self.origin[end - 1] + 1


@lru_cache(maxsize=65_536)
def _folded(character: str) -> str:
    if character in _KEPT_CONTROLS:
        return character
    if character in "\r\u000b\u000c\u0085\u2028\u2029":
        return "\n"
    code = ord(character)
    if 0x2460 <= code <= 0x24FF or 0x2776 <= code <= 0x2793 or 0x3220 <= code <= 0x3247 or 0x3280 <= code <= 0x32B0:
        return " "
    category = unicodedata.category(character)
    if category in ("Cf", "Cc", "Co", "Cs", "Cn", "Mn", "Me") or 0xFE00 <= code <= 0xFE0F:
        return ""
    if category in ("Zs", "Zl", "Zp"):
        return " "
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", character.translate(_SAME)).casefold().translate(_SAME)
    return "".join(one for one in plain.translate(_LOOKALIKES).translate(_TRADITIONAL) if unicodedata.category(one) not in ("Mn", "Cf"))


@lru_cache(maxsize=4_096)
def fold(text: str) -> Folded:
    """Fold a text; linear in its length."""
    parts: list[str] = []
    origin: list[int] = []
    for place, character in enumerate(text):
        plain = character if "a" <= character <= "z" or "0" <= character <= "9" else _folded(character)
        parts.append(plain)
        origin.extend([place] * len(plain))
    origin.append(len(text))
    return Folded("".join(parts), tuple(origin))
