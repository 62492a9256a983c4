"""What looks like a number and is a name: clauses, list marks, footnotes, document numbers, codes. They are compared whole, never as
amounts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from claims import periods
from claims.numerals import chinese
from claims.periods import Period


class Mark(StrEnum):
    """Kinds of reference. A list mark says nothing by itself."""

    CLAUSE = "clause"
    CODE = "code"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference; ``key`` is how its clause or code is written in one way (第十二条 is 12)."""

    mark: Mark
    key: str
    start: int
    end: int


_CN = "零一二三四五六七八九十百"
_MEASURES = (
    "[万亿元日天月年个%倍周岁千百人户家件笔美港欧英]|percent|million|billion|thousand|times|years|months|days|hours|basis|per cent|bps|pct"
)
_CLAUSE = re.compile(
    rf"第\s?(?P<a>[0-9]{{1,4}}(?:\.[0-9]{{1,3}})*|[{_CN}]{{1,6}})\s?(?P<level>条|章|节|款|项|部分|编|点)"
    r"|(?<![a-z])(?:section|article|clause|paragraph|para|item|annex|appendix|note)s?\s(?P<b>[0-9]{1,3}(?:\.[0-9]{1,3}){0,4})(?![0-9%])"
    r"|(?:见|参见|依据|按照|按|根据|适用|本条款|条款|本合同)\s?(?P<c>[0-9]{1,3}(?:\.[0-9]{1,3}){1,4})(?![0-9%])(?:\s?条|款)?"
    r"|(?<![0-9.])(?P<f>[0-9]{1,3}(?:\.[0-9]{1,3}){1,4})\s?(?:条|款)"
    r"|§\s?(?P<d>[0-9]{1,3}(?:\.[0-9]{1,3}){0,4})"
    r"|(?:(?<=\n)|(?<=[。;] )|^)\s{0,4}(?P<e>[0-9]{1,3}(?:\.[0-9]{1,3}){1,4})(?=\s{0,2}[\u4e00-\u9fff\[(]|\s[a-z])"
    rf"(?!\s{{0,2}}(?:{_MEASURES}))"
)
_LIST = re.compile(
    rf"(?:(?<=\n)|(?<=[。;:,、?!]))\s{{0,2}}(?:\((?:[0-9]{{1,2}}|[{_CN}]{{1,3}}|[a-z]|[ivx]{{1,4}})\)|[0-9]{{1,2}}(?:[)、]|"
    rf"\.(?![0-9]))|[{_CN}]{{1,3}}、)"
    rf"|^\s{{0,4}}(?:\((?:[0-9]{{1,2}}|[{_CN}]{{1,3}}|[a-z]|[ivx]{{1,4}})\)|[0-9]{{1,2}}(?:[)、]|\.(?![0-9]))|[{_CN}]{{1,3}}、)"
    rf"|\((?:[0-9]|[{_CN}]{{1,3}})\)"
    r"|\[[0-9]{1,3}\]"
    r"|(?:释义|注|note |附注|附件|附表|附录|表|图)\s?[0-9]{1,3}(?![0-9.%万亿元日天月年])"
)
_CODE = re.compile(
    r"[\u4e00-\u9fff]{0,8}\[(?:19|20)[0-9]{2}\]\s?(?:第)?[0-9]{1,5}号"
    r"|(?<![0-9a-z.])(?!(?:rmb|cny|usd|hkd|eur|gbp|jpy|us|hk|fy|fiscal|q|h|"
    r"x)[0-9])[a-z]{1,12}[-_/]?[0-9][0-9a-z]*(?:[-_/.][0-9a-z]+)*(?![0-9%])"
    r"|(?<![0-9a-z])[0-9]{1,5}[-_][a-z][0-9a-z-]*"
    r"|(?<![0-9a-z.,])(?:\+?86[- ]?)?1[3-9][0-9]{9}(?![0-9]|\s?[.,万亿元%])"
    r"|(?<![0-9a-z.,])0[0-9]{2,3}-[0-9]{7,8}(?![0-9])|(?<![0-9a-z.,])(?:400|800)-?[0-9]{3}-?[0-9]{4}(?![0-9])"
    r"|(?<![0-9a-z.,])[0-9]{12,20}(?![0-9])x?(?!\s?[.,万亿元%])"
)


def _clause(match: re.Match[str]) -> Reference:
    number = next(group for name, group in match.groupdict().items() if name != "level" and group)
    written = chinese(number)
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    level = match["level"] or ""
    return Reference(
        Mark.CLAUSE, (number if written is None else str(written)) + (level if level not in ("", "条") else ""), start, match.end()
    )


def find(text: str) -> list[Reference]:
    """Return the references of a folded text, in its order, none overlapping another."""
    found: list[Reference] = []
    taken = bytearray(len(text))
    for mark, pattern in ((Mark.CODE, _CODE), (Mark.CLAUSE, _CLAUSE), (Mark.LIST, _LIST)):
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            taken[start:end] = b"\x01" * (end - start)
            found.append(_clause(match) if mark is Mark.CLAUSE else Reference(mark, match[0].replace(" ", ""), start, end))
    return sorted(found, key=lambda reference: reference.start)


def dated(text: str) -> tuple[list[Period], list[Reference]]:
    """Return the periods and the references of a folded text, none in another: the year of a document number is no period."""
    named = find(text)
    codes = [one for one in named if one.mark is Mark.CODE]
    when = [one for one in periods.find(text) if not any(_meet(one, two) for two in codes)]
    return when, [one for one in named if one.mark is Mark.CODE or not any(_meet(one, two) for two in when)]


def _meet(one: Period | Reference, two: Period | Reference) -> bool:
    return one.start < two.end and two.start < one.end
