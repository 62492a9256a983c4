"""Units of numbers in both languages: what kind of number they make, in which base unit, times what."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a number measures."""

    MONEY = "money"
    RATIO = "ratio"
    DURATION = "duration"
    AGE = "age"
    COUNT = "count"
    MULTIPLE = "multiple"
    NUMBER = "number"


class Unit(NamedTuple):
    """Kind, base unit and factor: a basis point is 0.01 of a percentage point."""

    kind: Kind
    name: str
    factor: Decimal = Decimal(1)


_CURRENCIES = {
    "USD": "美元|美金|us dollars?|u\\.s\\. dollars?|dollars?|us\\$|usd|\\$",
    "HKD": "港元|港币|hong kong dollars?|hk\\$|hkd",
    "EUR": "欧元|euros?|eur|€",
    "GBP": "英镑|pounds? sterling|gbp|£",
    "JPY": "日元|日圆|japanese yen|yen|jpy",
    "MOP": "澳门元|mop",
    "TWD": "新台币|twd",
    "SGD": "新加坡元|新元|sgd",
    "AUD": "澳元|aud",
    "CHF": "瑞士法郎|chf",
    "CNY": "人民币元|人民币|元人民币|元|圆|块钱|rmb|cny|yuan|renminbi|¥",
}
_COUNTS = (
    "人次|人|名|户|家|件|笔|张|份|次|项|台|辆|套|吨|公里|千米|平方米|股|手|克|公斤|千克|升|位|只|批|所|页|款|车|间|艘|架|头|亩|公顷|"
    "枚|期|条|种|个"
)
_ENGLISH_COUNTS = (
    "employees?|shares?|customers?|clients?|branches|branch|stores?|people|persons?|claims?|policies|policy|accounts?|transactions?|"
    "contracts?|"
    "units?|square feet|square met(?:er|re)s|km|kg|tonnes?|tons?|barrels?|members?|visits?|payments?|instal(?:l)?ments?|votes?|"
    "options?|rsus?|"
    "countries|offices|locations|vehicles?|properties|pages?|employers?|patients?|loans?|cards?|documents?|events?|losses"
)


def _table() -> list[tuple[str, Unit]]:
    table: list[tuple[str, Unit]] = [(pattern, Unit(Kind.MONEY, code)) for code, pattern in _CURRENCIES.items()]
    table += [
        ("个百分点|百分点|percentage points?|percent points?|pps?|pct points?", Unit(Kind.RATIO, "point")),
        ("个基点|个bps?|基点|basis points?|bps?", Unit(Kind.RATIO, "bp", Decimal("0.01"))),
        ("%|percent|per cent|pct|per centum", Unit(Kind.RATIO, "percent")),
        ("‰|per mille", Unit(Kind.RATIO, "percent", Decimal("0.1"))),
        ("成(?![为立员本交果功绩])", Unit(Kind.RATIO, "percent", Decimal(10))),
        ("倍|times(?! as)|x(?![a-z0-9])|-?fold", Unit(Kind.MULTIPLE, "times")),
        ("个?工作日|business days?|working days?", Unit(Kind.DURATION, "business-day")),
        ("个?交易日|trading days?", Unit(Kind.DURATION, "trading-day")),
        ("周岁|岁|years? of age|years? old|years?-old", Unit(Kind.AGE, "year-of-age")),
        ("个?小时|hours?|hrs?", Unit(Kind.DURATION, "hour")),
        ("分钟|minutes?|mins?", Unit(Kind.DURATION, "minute")),
        ("秒钟?|seconds?", Unit(Kind.DURATION, "second")),
        ("个?自然日|日历日|日|天|个日|calendar days?|days?|-day", Unit(Kind.DURATION, "hour", Decimal(24))),
        ("周(?!岁)|个?星期|weeks?|-week", Unit(Kind.DURATION, "hour", Decimal(168))),
        ("个?月|months?|-month", Unit(Kind.DURATION, "month")),
        ("个?季度|quarters?", Unit(Kind.DURATION, "month", Decimal(3))),
        ("个?半年", Unit(Kind.DURATION, "month", Decimal(6))),
        ("个?(?:保单|保险|会计|日历)?年度?|周年|years?|yrs?|-year", Unit(Kind.DURATION, "month", Decimal(12))),
        ("角(?=[零一二三四五六七八九壹贰叁肆伍陆柒捌玖0-9]分|整|正|$|[,。;])", Unit(Kind.MONEY, "CNY", Decimal("0.1"))),
        ("美分|cents?", Unit(Kind.MONEY, "USD", Decimal("0.01"))),
    ]
    table += [(name, Unit(Kind.COUNT, name)) for name in _COUNTS.split("|")]
    table += [(name, Unit(Kind.COUNT, re.split(r"[?(\\]", name)[0].rstrip("s"))) for name in _ENGLISH_COUNTS.split("|")]
    return table


_TABLE = _table()
UNITS = [unit for _, unit in _TABLE]


def _bounded(pattern: str) -> str:
    return "|".join(rf"{one}(?![a-z])" if re.search(r"[a-z](?:\?|\))*$", one) else one for one in re.split(r"\|(?![^(]*\))", pattern))


UNIT = "|".join(f"(?P<u{number}>{_bounded(pattern)})" for number, (pattern, _) in enumerate(_TABLE))
PREFIX = "|".join(
    (
        r"us\$|u\.s\.\$|hk\$|\$|¥|€|£|(?<![a-z])(?:rmb|cny|usd|hkd|eur|gbp|jpy|mop|sgd|aud|chf)",
        "人民币|美元|港币|港元|欧元|英镑",
    )
)


def prefix(text: str) -> Unit | None:
    """Return the currency that stands before a number."""
    for code, pattern in _CURRENCIES.items():
        if re.fullmatch(pattern, text) or (text == "u.s.$" and code == "USD"):
            return Unit(Kind.MONEY, code)
    return None


def named(match: re.Match[str]) -> Unit | None:
    """Return the unit that a match of ``UNIT`` found."""
    group = match.lastgroup
    return UNITS[int(group[1:])] if group and group.startswith("u") and group[1:].isdigit() else None
