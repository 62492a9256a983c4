"""Periods that a question or a title names, as ranges of years: 2019, FY19, 2018-2020, 2019年度, Q3 2021."""

from __future__ import annotations

import re

from rag.domain.terms import fold

_RANGE = re.compile(r"(?<!\d)((?:19|20)\d\d)\s?年?度?\s?(?:-|–|—|~|至|到|to|through|and)\s?(?:fy)?\s?((?:19|20)\d\d|\d\d)(?![\d,.])")
_YEAR = re.compile(r"(?<![\d.,])((?:19|20)\d\d)(?!\d)(?!,\d)(?!\.\d)")
_SHORT = re.compile(r"(?<![a-z])fy\s?'?(\d\d)(?!\d)")


def years(text: str) -> frozenset[int]:
    """Return all years that a text names; a range names each of its years, if there are 30 at most."""
    folded = fold(text)
    found = {int(year) for year in _YEAR.findall(folded)} | {2000 + int(year) for year in _SHORT.findall(folded)}
    for first, last in _RANGE.findall(folded):
        begin, end = int(first), int(last) if len(last) == 4 else int(first) // 100 * 100 + int(last)
        if begin < end <= begin + 30 and not (len(last) == 2 and 1 <= int(last) <= 12):  # 2019-11 is a month
            found |= set(range(begin, end + 1))
    return frozenset(found)


def without_years(text: str) -> str:
    """Return a folded text with its years taken out."""
    return _SHORT.sub(" ", _YEAR.sub(" ", fold(text)))
