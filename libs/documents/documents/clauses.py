"""What the start of a paragraph says about it: a clause number, an item of a list, the caption of a table. Chinese numbering first.

Levels are those of the usual nesting, outermost first: 编 and 部分, 章, 节, 条, 一、, （一）; dotted numbers (1.1, 1.1.1) by their dots.
Only their order means anything.
"""

from __future__ import annotations

import re

_N = "[0-9０-９零〇一二三四五六七八九十百千两]"
_ORDINAL = re.compile(rf"第\s?{_N}{{1,7}}\s?(编|篇|部分|章|节|条)(?:之{_N}{{1,3}})?(?=[\s:：、.．]|[^的规所内])")
_LEVELS = {"编": 1, "篇": 1, "部分": 1, "章": 2, "节": 3, "条": 4}
_SERIAL = re.compile(r"[一二三四五六七八九十百]{1,4}、")
_BRACKETED = re.compile(r"[(（][一二三四五六七八九十百]{1,4}[)）]")
_DOTTED = re.compile(r"([0-9]{1,2}(?:[.．][0-9]{1,2}){1,4})[.．]?(?![0-9%％])\s?(?=[^\s0-9%％])")
_PLAIN = re.compile(r"[0-9]{1,2}[.．、]?\s?(?=[^\s0-9.．,，%％年月日])")
_SECTION = re.compile(r"(?:chapter|part|section|article|clause)\s+(?:[0-9]+(?:\.[0-9]+)*|[ivxlc]+)\b", re.IGNORECASE)
_SECTION_LEVELS = {"part": 1, "chapter": 2, "section": 3, "article": 4, "clause": 4}
_ITEM = re.compile(
    r"(?:[•●○■▪▫◆◇➢✓·–—*-]|[(（]?[0-9]{1,3}[)）.．、]|[(（][一二三四五六七八九十百]{1,4}[)）]|[(（]?[a-zA-Z][)）]|[①-⑳㈠-㈩])\s?\S"
)
_CAPTION = re.compile(
    r"(?:附?表|图表?|table|figure|fig\.|exhibit)\s?[0-9０-９一二三四五六七八九十]+(?:[-－–.．][0-9]+)*(?:\s*[:：.．、]\s*|\s+|$)",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[(（]?\s?(?:(?:金额|货币)?单位\s?[:：]|(?:all )?(?:amounts? |figures? |expressed |stated )*in (?:millions|thousands|billions)\b"
    r"|(?:unit|currency)\s?[:：]|(?:rmb|usd|hkd|eur)[ ’']?(?:in )?(?:million|thousand|billion))",
    re.IGNORECASE,
)
_SENTENCE = re.compile("[，。；！？]")
_ENDS = "。；;，,：:！!？?、"
LONGEST_TITLE = 40
"""Characters of a heading of a clause; a longer one is the clause."""


def heading(text: str) -> tuple[int, str] | None:
    """Level and text of the heading that a paragraph is or starts with; its number alone, when the clause goes on behind it."""
    if (found := _ORDINAL.match(text)) or (found := _SECTION.match(text)):
        level = _LEVELS.get(found[1] or "") if found.re is _ORDINAL else _SECTION_LEVELS[found[0].split()[0].lower()]
        return (level or 4, text if _title(text) else found[0].strip())
    if not _title(text):
        return None
    if _SERIAL.match(text):
        return 5, text
    if _BRACKETED.match(text):
        return 6, text
    if found := _DOTTED.match(text):
        return len(re.split("[.．]", found[1])) + 1, text
    return None


def plain_number(text: str) -> bool:
    """Whether it is like ``1 总则`` or ``1. Scope``: a heading where 1.1 follows, else an item of a list."""
    return _title(text) and _PLAIN.match(text) is not None


def dotted_number(text: str) -> bool:
    """Whether it is a heading like ``1.1 合同构成``."""
    return _title(text) and _DOTTED.match(text) is not None


def _title(text: str) -> bool:
    longest = LONGEST_TITLE if any(each > "\u2e80" for each in text) else 2 * LONGEST_TITLE
    return (
        len(text) <= longest
        and text[-1] not in _ENDS
        and not _SENTENCE.search(text)
        and not (text.endswith(".") and " " in text)
        and "\n" not in text
    )


def item(text: str) -> bool:
    """Whether it is an item of a list, by its mark."""
    return _ITEM.match(text) is not None


def caption(text: str) -> bool:
    """Whether it is the caption of a table or figure: 表1：…, Table 2. …"""
    return len(text) <= 120 and _CAPTION.match(text) is not None and not text.endswith(("。", "；"))


def unit(text: str) -> bool:
    """Whether it says the unit of the table that follows: 单位：万元, in millions of US dollars."""
    return len(text) <= 60 and _UNIT.match(text) is not None


def of_figure(text: str) -> bool:
    """Whether a caption is a figure's."""
    return text[:6].lower().startswith(("图", "fig"))
