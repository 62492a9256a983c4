"""Text as it is kept: what a reader sees and nothing that hides. Every string of every format passes ``clean``.

Removed: control characters, zero-width and bidi characters, variation selectors and Unicode tags (which carry instructions nobody sees),
surrogates and noncharacters. Then NFC, and white space as one space. Full-width forms stay: a citation quotes what stands there.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
HIDDEN = re.compile(f"[{_HIDDEN}]")
"""Characters without a shape of their own that can carry what no reader sees."""
_DROPPED = re.compile(f"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff{_HIDDEN}]")
_SPACES = re.compile(r"[ \t\v\f\r\n\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_BLANK = re.compile(
    r"[\t\v\f\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|  |^ | $|\A\n|\n\Z",
    re.MULTILINE,
)
CJK = (
    "\u2e80-\u2fff\u3001-\u3029\u3030-\u3098\u309b-\u30ff\u3105-\u312f\u31a0-\u31bf"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60\uffe0-\uffe6\U00020000-\U0003ffff"
)
"""For a character class: ideographs, kana, and the full-width signs set among them."""
_SPACED = re.compile(f"(?<![^\\s])([{CJK}])(?: [{CJK}](?![^\\s]))+")
_BULLETS = str.maketrans({"\uf06c": "●", "\uf06e": "■", "\uf0a7": "▪", "\uf0b7": "•", "\uf0d8": "➢", "\uf0fc": "✓"})
"""Signs of the fonts Symbol and Wingdings, which have no code points of their own."""


def clean(text: str, *, lines: bool = False) -> str:
    """``lines``: line feeds stay, for text whose lines mean something. Idempotent."""
    text = unicodedata.normalize("NFC", _DROPPED.sub("", text.translate(_BULLETS)))
    if lines:
        return "\n".join(clean(each) for each in text.splitlines()).strip("\n")
    return _letterspaced(_SPACES.sub(" ", text).strip(" "))


def _letterspaced(text: str) -> str:
    """目 录 → 目录: single characters set apart are one word; 张三 李四 stay two."""
    return _SPACED.sub(lambda found: found[0].replace(" ", ""), text) if " " in text else text


def is_clean(text: str) -> bool:
    """Whether nothing of ``_DROPPED`` is in it and white space is single; for what came from elsewhere."""
    return (text.isascii() and text.isprintable() and "  " not in text) or _kept(text)


def _kept(text: str) -> bool:
    return not _DROPPED.search(text) and not _BLANK.search(text) and unicodedata.is_normalized("NFC", text)


def hidden(text: str) -> int:
    """How many hidden characters it has."""
    return 0 if text.isascii() else len(HIDDEN.findall(text))


def join_lines(lines: list[str]) -> str:
    """Lines of one paragraph as running text: nothing beside CJK characters, a word divided by a hyphen made whole, else a space."""
    text = ""
    for line in (each.strip() for each in lines):
        if not text or not line:
            text = text or line
        elif divided(text) and line[0].islower():
            text = text[:-1] + line
        else:
            text += line if text.endswith("/") or _CJK.match(text[-1]) or _CJK.match(line[0]) else " " + line
    return text


def divided(text: str) -> bool:
    """Whether it ends in the first part of a word."""
    return _DIVIDED.search(text) is not None


_DIVIDED = re.compile(r"[A-Za-zÀ-ɏ]{2}[-\u00ad\u2010]$")
_CJK = re.compile(f"[{CJK}]")
