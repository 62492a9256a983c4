"""Which words of the text the model meant for the underlying: what it copied, mended where that is no whole name of the text.

A model of characters cuts a name short now and then, or takes a particle along. What is returned always stands in the text; None when
nothing in it is meant. Surprising: a short number is no underlying where a unit follows it (300 of 300万).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from otcdesk.fold import Folded
from otcdesk.instruments import Instruments, cuts_word

_PARTICLES = frozenset(
    "的了吧呢啊吗呀哦哈嘛和跟及与或买卖做要想报问询求给我你他们这那个笔些点下上再对就按用挂看请帮有是为在到假设如果关于一二三四五六七八九十两半"
)
"""What may stand before or behind a name and belongs to none that the master knows."""
_KINDS = ("股票", "正股", "个股", "a股", "h股", "基金")
"""Words for what an instrument is, which a name does without."""
_SHORT_NUMBER = re.compile(r"[0-9]{1,5}")
_UNIT = re.compile(r" ?(?:[万亿千百个wek%天日周月年期dmy折点块元]|mio|bn|rmb|cny)|[.,]?[0-9]")
_CODE = r"(?:s[hz])?[0-9]{6}(?: ?\.?s[hz]\b)?|[0-9]{1,5} ?\.?hk\b"
_CODE_BEHIND = re.compile(
    rf" ?\((?:{_CODE})\)|[ ,]?(?:s[hz][0-9]{{6}}|[0-9]{{6}} ?\.?s[hz]|[0-9]{{1,5}} ?\.?hk)\b|(?<=[^\x00-\x7f])[ ,]?[0-9]{{6}}(?!\w)"
)
_BETWEEN = ("", " ", ",")
"""What stands between a name and its code."""

Span = tuple[int, int]


def meant(copied: str, text: Folded, instruments: Instruments) -> Span | None:
    """Return where the words stand in the folded text."""
    names = instruments.named_in(text.text)
    found = _copied(copied, text.text, names, instruments) or _only(names, text.text, instruments)
    return _with_code(_joined(found, text.text, names, instruments), text.text, instruments) if found else None


def named_alone(text: Folded, instruments: Instruments) -> Span | None:
    """Return where the only instrument stands that the text names."""
    names = instruments.named_in(text.text)
    found = _only(names, text.text, instruments)
    return _with_code(_joined(found, text.text, names, instruments), text.text, instruments) if found else None


def _copied(copied: str, text: str, names: list[Span], instruments: Instruments) -> Span | None:
    """Where the words stand as they were copied, the last place that is no part of a word; made whole where all are."""
    every = [span for span in _places(copied, text) if not _is_amount(text, span)]
    if not every:
        return None
    whole = [span for span in every if not _is_cut(text, span) and not any(_is_inside(span, name) for name in names)]
    if whole:
        return _trimmed(whole[-1], text, names, instruments)
    named = [(span, name) for span in every for name in names if _is_inside(span, name)]
    if named:
        span, name = named[-1]
        return span if text[span[1] : name[1]] in _KINDS else name
    return _trimmed(every[-1], text, names, instruments, is_cut=True)


def _trimmed(span: Span, text: str, names: list[Span], instruments: Instruments, *, is_cut: bool = False) -> Span:
    """Leave particles out that stand beside the only name inside, and the beginning of a word behind it."""
    if not is_cut and instruments.codes(text[slice(*span)]):
        return span
    inside = [name for name in names if span[0] < name[1] and name[0] < span[1]]
    if len(inside) == 1:
        start, end = inside[0]
        beside = text[span[0] : start] + text[end : span[1]]
        if is_cut or all(each in _PARTICLES or not each.isalnum() for each in beside):
            return inside[0]
    start, end = span
    while start > 0 and cuts_word(text, start):
        start -= 1
    while end < len(text) and cuts_word(text, end):
        end += 1
    return start, end


def _only(names: list[Span], text: str, instruments: Instruments) -> Span | None:
    """The place of the only instrument that the text names."""
    known = [span for span in names if not _SHORT_NUMBER.fullmatch(text[slice(*span)])]
    codes = {code for span in known for code in instruments.codes(text[slice(*span)])}
    return known[-1] if len(codes) == 1 else None


def _joined(span: Span, text: str, names: list[Span], instruments: Instruments) -> Span:
    """Take in what stands beside the words, or begins inside them, and names the same instrument: 三一 600031.sh, 002460 赣锋."""
    for start, end in names:
        whole = min(span[0], start), max(span[1], end)
        between = text[min(span[1], end) : max(span[0], start)]
        if whole not in (span, (start, end)) and between in _BETWEEN and len(instruments.codes(text[slice(*whole)])) == 1:
            span = whole
    return span


def _with_code(span: Span, text: str, instruments: Instruments) -> Span:
    """A name with its code, 茅台(600519) or 600519 茅台, is one: they may contradict each other."""
    words = text[slice(*span)]
    if any(each.isdigit() for each in words) and not instruments.codes(words):
        return span
    if (behind := _CODE_BEHIND.match(text, span[1])) and not re.search(_CODE, words):
        return span[0], behind.end()
    return span


def _places(copied: str, text: str) -> Iterator[Span]:
    start = text.find(copied) if copied else -1
    while start >= 0:
        yield start, start + len(copied)
        start = text.find(copied, start + 1)


def _is_cut(text: str, span: Span) -> bool:
    return cuts_word(text, span[0]) or cuts_word(text, span[1])


def _is_inside(span: Span, name: Span) -> bool:
    return span != name and name[0] <= span[0] and span[1] <= name[1]


def _is_amount(text: str, span: Span) -> bool:
    return _SHORT_NUMBER.fullmatch(text, *span) is not None and _UNIT.match(text, span[1]) is not None
