"""Dates and periods in a folded text: days, months, quarters, halves, years, and those without a year.

A period is the days from its first to its last, each (year, month, day); year 0 says that the text names none. A fiscal year is the year
of its
number (FY2023 is 2023): where it begins is the company's business and stands in no number.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from claims.numerals import chinese

Day = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Period:
    """First and last day, and where it stands in the folded text."""

    first: Day
    last: Day
    start: int
    end: int

    @property
    def has_year(self) -> bool:
        """Whether the text names the year."""
        return self.first[0] > 0

    def same(self, other: Period) -> bool:
        """Whether both mean the same days; without a year in one of them, month and day decide."""
        if self.has_year and other.has_year:
            return (self.first, self.last) == (other.first, other.last)
        return (self.first[1:], self.last[1:]) == (other.first[1:], other.last[1:])

    def within(self, other: Period) -> bool:
        """Whether these days lie inside those of another."""
        if not (self.has_year and other.has_year):
            return self.same(other)
        return other.first <= self.first and self.last <= other.last


_NAMES = "january|february|march|april|may|june|july|august|september|october|november|december"
_MONTHS = {name: number for number, name in enumerate(_NAMES.split("|"), 1)}
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()} | {"sept": 9}
_MONTH = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_YEAR = r"(?:19|20|21)[0-9]{2}"
_CN = "[零一二三四五六七八九十]"
_CN_YEAR = "[零一二三四五六七八九]{4}"
_Y = rf"(?P<year>{_YEAR}|{_CN_YEAR}(?=年))"
_SHORT = r"(?P<year>(?:19|20)?[0-9]{2})"
_ORDINAL = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "前": 1, "上": 1, "下": 2, "后": 2}
_N = r"(?:first|second|third|fourth|1st|2nd|3rd|4th)"
_MONTH_NUMBER = rf"(?P<month>1[0-2]|0?[1-9]|{_CN}{{1,2}})"
_DAY_NUMBER = rf"(?P<day>3[01]|[12][0-9]|0?[1-9]|{_CN}{{1,3}})"


def _number(text: str) -> int:
    if text in _ORDINAL:
        return _ORDINAL[text]
    if text.isdigit() and text.isascii():
        return int(text)
    written = chinese(text)
    return 0 if written is None else int(written)


def _year(text: str | None) -> int:
    if not text:
        return 0
    year = _number(text)
    return year + (2000 if year < 70 else 1900) if year < 100 else year


def _months(year: int, first: int, last: int) -> tuple[Day, Day]:
    return (year, first, 1), (year, last, monthrange(year or 2000, last)[1])


def _a_day(match: re.Match[str]) -> tuple[Day, Day] | None:
    groups = match.groupdict()
    month = _MONTHS.get((groups.get("name") or "").rstrip("."), 0) or _number(groups.get("month") or "0")
    day, year = _number(groups["day"]), _year(groups.get("year"))
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(year or 2000, month)[1]:
        return None
    return (year, month, day), (year, month, day)


def _a_month(match: re.Match[str]) -> tuple[Day, Day] | None:
    groups = match.groupdict()
    month = _MONTHS.get((groups.get("name") or "").rstrip("."), 0) or _number(groups.get("month") or "0")
    return _months(_year(groups.get("year")), month, month) if 1 <= month <= 12 else None


def _a_quarter(match: re.Match[str]) -> tuple[Day, Day] | None:
    quarter = _number(match["n"])
    return _months(_year(match.groupdict().get("year")), 3 * quarter - 2, 3 * quarter) if 1 <= quarter <= 4 else None


def _quarters(match: re.Match[str]) -> tuple[Day, Day]:
    return _months(_year(match.groupdict().get("year")), 1, 9)


def _a_half(match: re.Match[str]) -> tuple[Day, Day] | None:
    half = _number(match["n"])
    return _months(_year(match.groupdict().get("year")), 6 * half - 5, 6 * half) if half in (1, 2) else None


def _a_year(match: re.Match[str]) -> tuple[Day, Day]:
    return _months(_year(match["year"]), 1, 12)


def _edge(match: re.Match[str]) -> tuple[Day, Day]:
    year = _year(match["year"])
    day = (year, 1, 1) if match["edge"] == "初" else (year, 12, 31)
    return day, day


_Read = Callable[[re.Match[str]], tuple[Day, Day] | None]
_FORMS: tuple[tuple[str, _Read], ...] = (
    (rf"(?<![0-9]){_Y}\s?[-/.年]\s?{_MONTH_NUMBER}\s?[-/.月]\s?{_DAY_NUMBER}(?![0-9])\s?[日号]?", _a_day),
    (r"(?<![0-9])(?P<year>20[0-9]{2})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12][0-9]|3[01])(?![0-9])", _a_day),
    (rf"\b(?P<name>{_MONTH})\s?(?P<day>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?\s?,?\s(?P<year>{_YEAR})\b", _a_day),
    (rf"\b(?P<day>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?\s(?:of\s)?(?P<name>{_MONTH}),?\s(?P<year>{_YEAR})\b", _a_day),
    (rf"(?<![0-9]){_Y}\s?年?度?的?(?:第?(?P<n>[1-4一二三四])季度?)", _a_quarter),
    (rf"(?<![0-9]){_Y}\s?年?q(?P<n>[1-4])", _a_quarter),
    (rf"(?<![0-9]){_Y}\s?年?度?\s?前三季度", _quarters),
    (rf"\bq(?P<n>[1-4])\s?(?:of\s)?(?:fy\s?)?'?{_SHORT}\b", _a_quarter),
    (rf"\b(?P<n>[1-4])q\s?(?:fy)?'?{_SHORT}\b", _a_quarter),
    (rf"\b(?P<n>{_N})\squarter\s(?:of\s|in\s)?(?:fiscal\s(?:year\s)?|fy\s?)?{_Y}\b", _a_quarter),
    (rf"(?<![0-9]){_Y}\s?年?度?\s?(?P<n>[上下])半年度?", _a_half),
    (rf"(?<![0-9]){_Y}\s?年(?P<n>中)期", lambda match: _months(_year(match["year"]), 1, 6)),
    (rf"\bh(?P<n>[12])\s?(?:of\s)?(?:fy\s?)?'?{_SHORT}\b", _a_half),
    (rf"\b(?P<n>[12])h\s?(?:fy)?'?{_SHORT}\b", _a_half),
    (rf"\b(?P<n>first|second)\shalf\s(?:of\s|in\s)?(?:fiscal\s(?:year\s)?|fy\s?)?{_Y}\b", _a_half),
    (rf"(?<![0-9]){_Y}\s?[-/.年]\s?{_MONTH_NUMBER}\s?月(?:份)?", _a_month),
    (r"(?<![0-9])(?P<year>20[0-9]{2})[-/](?P<month>0[1-9]|1[0-2])(?![0-9-/])", _a_month),
    (rf"\b(?P<name>{_MONTH})\s?,?\s?(?:of\s)?(?P<year>{_YEAR})\b", _a_month),
    (rf"(?<![0-9]){_Y}\s?年?(?P<edge>初|末|底|年末|年底)", _edge),
    (rf"\b(?:end\sof|year[-\s]end)\s(?:fiscal\s(?:year\s)?|fy\s?)?(?P<edge>)(?P<year>{_YEAR})\b", _edge),
    (rf"\b(?:fiscal\s(?:years?\s)?|fy\s?'?){_SHORT}\b", _a_year),
    (rf"(?<![0-9]){_Y}\s?(?:财年|会计年度|年度|年全年|全年|年(?![末初底期]))", _a_year),
    (
        r"(?<![0-9.,$¥€£/-])(?P<year>19[5-9][0-9]|20[0-9]{2})(?![0-9a-z]|[.,][0-9]|\s?%|"
        r"\s?[万亿千百元倍个日天人户家件笔张份次股条号周岁台辆吨]|\s?(?:million|billion|shares|percent|days|basis|bps?\b|个基点|基点))",
        _a_year,
    ),
    (rf"(?<![0-9年]){_MONTH_NUMBER}\s?月\s?{_DAY_NUMBER}\s?[日号]", _a_day),
    (rf"\b(?P<name>{_MONTH})\s(?P<day>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?\b(?!,?\s?{_YEAR})", _a_day),
    (r"(?<![0-9个零一二三四五六七八九十])(?P<month>1[0-2]|[1-9]|十[一二]?|[一二三四五六七八九])月(?:份|末|底|初)?", _a_month),
    (r"第(?P<n>[1-4一二三四])季度?", _a_quarter),
    (r"(?<![前0-9])(?P<n>[一二三四])季度", _a_quarter),
    (r"(?P<n>[上下])半年度?", _a_half),
    (rf"\b(?P<n>{_N})\squarter\b", _a_quarter),
    (r"\bq(?P<n>[1-4])\b", _a_quarter),
    (r"\b(?P<n>first|second)\shalf\b", _a_half),
)
_COMPILED = [(re.compile(pattern), read) for pattern, read in _FORMS]
_ANY = re.compile(r"[0-9年月季]|半年|quarter|half|" + "|".join(sorted(_MONTHS, key=len, reverse=True)))


def find(text: str) -> list[Period]:
    """Return the periods of a folded text, in its order, none overlapping another; the longer form wins over its parts."""
    if _ANY.search(text) is None:
        return []
    taken = bytearray(len(text))
    return sorted(_found(text, taken), key=lambda period: period.start)


def _found(text: str, taken: bytearray) -> Iterator[Period]:
    for pattern, read in _COMPILED:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            days = read(match)
            if days is not None:
                taken[start:end] = b"\x01" * (end - start)
                yield Period(*days, start, end)
