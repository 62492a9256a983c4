"""Which numbers a folded text can mean, read in every way in which people write them.

The model chooses among them (`otcdesk.constraint`), so that it can't write a number that nobody said. This errs on the side of more: each
stretch of digits, numerals and units is read from each of its beginnings to each of its ends. Numbers may be Arabic, grouped (10,000,000),
Chinese (两千五百, 一百零二点五, 九五), mixed (1亿5千万, 9千4百w, 三亿二), English words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

_DIGITS = {each: number for number, each in enumerate("零一二三四五六七八九")} | {"两": 2, "俩": 2, "仨": 3, "卅": 30, "廿": 20}
_SMALL = {"十": 10, "百": 100, "千": 1000, "k": 1000}
_LARGE = {
    "万": 4, "w": 4, "wan": 4, "mio": 6, "mm": 6, "mln": 6, "million": 6, "millions": 6, "mil": 6, "mn": 6, "m": 6,
    "kw": 7, "亿": 8, "e": 8, "yi": 8, "bn": 9, "billion": 9, "billions": 9, "b": 9,
}  # fmt: skip
_WORDS = {
    "one": 1, "a": 1, "an": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
    "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100,
}  # fmt: skip
_PIECE = re.compile(
    r"(?P<scientific>[0-9]+(?:\.[0-9]+)?e[0-9]{1,2}(?![0-9]))"
    r"|(?P<number>[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)"
    r"|(?P<digit>[零一二三四五六七八九两俩仨卅廿])"
    r"|(?P<word>" + "|".join(sorted((each for each in _WORDS if len(each) > 2), key=len, reverse=True)) + r"|(?<![a-z])an?(?![a-z]))"
    r"|(?P<large>" + "|".join(sorted((each for each in _LARGE if each.isascii()), key=len, reverse=True)) + r"|[万亿])"
    r"|(?P<small>[十百千k])"
    r"|(?P<half>半|half)"
    r"|(?P<point>点)"
    r"|(?P<silent>个|多|几|-|and| )"
)
_ENUMERATED = re.compile(r"(?<=(?<![0-9.])[0-9])\.(?=[0-9])")
"""The dot of "1.103%", where it may number an item."""
_GROUPED = re.compile(r"(?<=[0-9])[、。,](?=[0-9]{3,4}(?![0-9]))")
_TEN_TO_THE_EIGHTH = re.compile(r"(?<=[0-9])e(?=[0-9])")
"""The e of 7e3kw: 亿."""
_HUNDRED_MILLIONS = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?个")
"""Of a bond's face: 0.5个 is half of a hundred million."""
_CURRENCY = re.compile(
    r"(?<![a-z])(?:us|hk)?[$]|[€£]|(?<![a-z])(?:usd|eur|gbp|jpy|hkd|cad|aud|chf|dollars?|euros?)(?![a-z])"
    r"|美元|美金|美?刀|欧元|英镑|日元|日圆|港币|港元|港纸|加元|澳元|瑞郎"
)
_INDICES = ("50", "100", "300", "500", "800", "1000", "2000")
"""Numbers that end names of indices, to which another number may be glued: 中证5003个月."""
_BEGINS = ("scientific", "number", "digit", "word", "small", "half")
_LONGEST_STRETCH = 16
"""Pieces that are read together."""
_LARGEST = Decimal(10) ** 13


@dataclass(frozen=True, slots=True)
class Numbers:
    """``plain``: as they stand. ``amounts``: with their units, yuan. ``tens``: of discounts, 八折 is 80. ``times``: sums, halves."""

    plain: frozenset[str]
    amounts: frozenset[Decimal]
    tens: frozenset[Decimal]
    times: frozenset[Decimal]


def numbers(text: str) -> Numbers:
    """Return the numbers that a folded text can mean."""
    plain, amounts = dict[str, Decimal](), set[Decimal]()
    for reading in dict.fromkeys(
        (text, text.replace(",", "|"), _ENUMERATED.sub("|", text), _GROUPED.sub("", text), _TEN_TO_THE_EIGHTH.sub("亿", text))
    ):
        for stretch, _, is_foreign in _stretches(reading):
            for start in range(len(stretch)):
                for end in range(start + 1, min(len(stretch), start + _LONGEST_STRETCH) + 1):
                    for value, has_large in _values(stretch[start:end]):
                        if 0 <= value < _LARGEST:
                            if not is_foreign:
                                amounts.add(value)
                            if not has_large:
                                plain[f"{value:f}"] = value
    values = set(plain.values())
    tens = {value * 10 for value in values if value < 10} if "折" in text or "成" in text else set[Decimal]()
    amounts |= {Decimal(each).scaleb(8) for each in _HUNDRED_MILLIONS.findall(text)}
    return Numbers(frozenset(plain), frozenset(amounts), frozenset(tens), frozenset(_times(text, values)))


def _times(text: str, plain: set[Decimal]) -> set[Decimal]:
    """Return numbers of months that nobody wrote as such: half a year, a quarter, a year and a half, 1y6m, 一年零二个月."""
    found = {Decimal(6)} if Decimal("0.5") in plain else set[Decimal]()
    if "半" in text or "half" in text:
        found |= (
            {Decimal(6), Decimal("0.5")} | {value + Decimal("0.5") for value in plain} | {value * 12 + 6 for value in plain if value < 10}
        )
    if "季" in text or "quarter" in text:
        found |= {value * 3 for value in {*plain, Decimal(1)}}
    if "年" in text or "y" in text:
        found |= {years * 12 + months for years in plain if 0 < years < 10 for months in plain if 0 < months < 12}
    return {value for value in found if value < 1000}


def foreign_amounts(text: str) -> list[str]:
    """Return the amounts in other currencies than yuan, as they stand in a folded text."""
    return [text[start:end].strip() for _, (start, end), is_foreign in _stretches(text) if is_foreign]


def _stretches(text: str) -> Iterator[tuple[list[tuple[str, str]], tuple[int, int], bool]]:
    """Yield pieces that stand together, from where to where, and whether a foreign currency is before or behind them (inside, then)."""
    masked, end = _CURRENCY.sub(lambda found: "$" * len(found.group()), text), 0
    for stretch in _together(masked):
        pieces = [(piece.lastgroup or "", piece.group()) for piece in stretch]
        before = re.search(r"\$+ ?\Z", masked[end : stretch[0].start()])
        behind = None if before else re.match(r" ?\$+", masked[stretch[-1].end() :])
        start = end + before.start() if before else stretch[0].start()
        end = stretch[-1].end() + (behind.end() if behind else 0)
        is_foreign = (before is not None or behind is not None) and any(kind in _BEGINS for kind, _ in pieces)
        yield pieces, (start, end), is_foreign


def _together(text: str) -> Iterator[list[re.Match[str]]]:
    found = list[re.Match[str]]()
    for match in _PIECE.finditer(text):
        if found and match.start() != found[-1].end():
            yield found
            found = []
        found.append(match)
    if found:
        yield found


def _values(pieces: list[tuple[str, str]]) -> Iterator[tuple[Decimal, bool]]:
    """Yield what the pieces mean together, each with whether a large unit is in it; nothing when they mean nothing."""
    if pieces[0][0] in ("silent", "large", "point") or pieces[-1][0] in ("silent", "point"):
        return
    if len(pieces) == 1 and pieces[0][0] == "number":
        for each in _arabic(pieces[0][1]):
            yield each, False
        return
    if any(kind == "scientific" for kind, _ in pieces):
        if len(pieces) == 1:
            yield Decimal(pieces[0][1]), True
        return
    if all(kind == "digit" for kind, _ in pieces):
        yield Decimal("".join(str(_DIGITS[text]) for _, text in pieces)), False
        if len(pieces) > 1:
            return
    yield from _mixed(pieces)


def _arabic(text: str) -> Iterator[Decimal]:
    """Yield the readings of "10,000,000", "103" or "600030108", a code with a number glued to its end."""
    yield Decimal(text.replace(",", ""))
    if "," in text:
        yield from (Decimal("".join(pair)) for pair in pairwise(text.split(",")))
        return
    whole = text.partition(".")[0]
    starts = {len(whole) - length for length in (2, 3, 4) if len(whole) - length > 2}
    starts |= {len(index) for index in _INDICES if whole.startswith(index)}
    yield from (Decimal(text[start:]) for start in starts if start < len(whole) and text[start] != "0")


class _Sum:
    """A number that is read piece by piece, as Chinese numerals and their units are; `add` is false for what no number goes on with."""

    def __init__(self) -> None:
        self.total, self.section, self.unit = Decimal(0), Decimal(0), Decimal(0)
        self.current: Decimal | None = None
        self.decimals, self.has_large = 0, False

    @property
    def whole(self) -> Decimal:
        return self.total + self.section + (self.current or Decimal(0))

    def add(self, kind: str, text: str) -> bool:
        if kind in ("number", "digit", "word"):
            return self._number(kind, text)
        if kind == "point":
            is_possible = not self.decimals and (self.current is not None or self.section > 0)
            self.decimals = 1
            return is_possible
        if kind == "half":
            is_alone = self.unit == 0 or self.current is not None
            self.current = (self.current or Decimal(0)) + Decimal("0.5") if is_alone else self.unit / 2
        elif kind == "small":
            self.section += (Decimal(1) if self.current is None else self.current) * _SMALL[text]
            self.current, self.unit, self.decimals = None, Decimal(_SMALL[text]), 0
        elif kind == "large":
            self._large(Decimal(10) ** _LARGE[text])
        return True

    def _number(self, kind: str, text: str) -> bool:
        value = Decimal(text.replace(",", "")) if kind == "number" else Decimal(_DIGITS.get(text, _WORDS.get(text, 0)))
        if self.decimals:
            self.current = (self.current or Decimal(0)) + value.scaleb(-self.decimals - (len(text) - 1 if kind == "number" else 0))
            self.decimals += len(text)
            return text.isdigit() or kind == "digit"
        if self.current is None or (kind != "number" and self.current == 0):
            self.current = value
        elif kind == "word":
            self.current = self.current if text in ("a", "an") else self.current * value if value == 100 else self.current + value
        else:
            return False
        return True

    def _large(self, power: Decimal) -> None:
        before = self.section + (self.current or Decimal(0))
        is_larger = 0 < self.total < power > self.unit
        self.total = (self.total + before) * power if is_larger else self.total + before * power
        self.section, self.current, self.unit, self.decimals, self.has_large = Decimal(0), None, power, 0, True


def _mixed(pieces: list[tuple[str, str]]) -> Iterator[tuple[Decimal, bool]]:
    found = _Sum()
    if not all(found.add(kind, text) for kind, text in pieces):
        return
    yield found.whole, found.has_large
    if found.current is not None and found.unit >= 100 and pieces[-1][0] == "digit":
        yield found.total + found.section + found.current * found.unit / 10, found.has_large  # 三亿二, 两百五
