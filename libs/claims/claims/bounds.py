"""Words around a number that make it a bound (不超过, at least, 以上) or an estimate (约, about)."""

from __future__ import annotations

import re

_BEFORE = (
    (
        "<=",
        r"不(?:得)?(?:超过|高于|多于|大于|超出|应超过|应高于)|不超|至多|最多|最高|最长|上限(?:为|是)?|"
        r"(?:up to|at most|no (?:more|higher|greater|later) than|not (?:more|higher|greater) than|not (?:to )?exceed(?:ing)?|"
        r"maximum(?: of)?|within|≤|<=)",
    ),
    (
        ">=",
        r"不(?:得)?(?:低于|少于|小于|应低于|应少于|早于)|至少|最低|最少|最短|起码|下限(?:为|是)?|"
        r"(?:at least|no (?:less|fewer|lower) than|not (?:less|fewer|lower) than|minimum(?: of)?|≥|>=)",
    ),
    (">", r"超过|高于|大于|多于|超出|逾|(?:more|greater|higher) than|(?:over|above|exceed(?:s|ed|ing)?|>)"),
    ("<", r"低于|少于|小于|不足|不满|未满|未超过|未达到?|(?:less|fewer|lower) than|(?:under|below|<)"),
)
_BEFORE_PATTERN = re.compile("|".join(f"(?P<b{number}>{pattern})" for number, (_, pattern) in enumerate(_BEFORE)))
_GAP = re.compile(r"\s?(?:的|其|了|为|人民币|rmb|the|a|an|of|\(|给付|赔付|支付|可达)?\s?")
_AFTER = re.compile(
    r"\s?(?:\(?含\)?)?(?:(?P<ge>及?以上|或以上|起(?!诉|来)|or (?:more|above|older|over|greater))|(?P<le>及?以下|或以下|以内|之内|"
    r"or (?:less|below|under|fewer)))"
)
_HEDGE = re.compile(
    r"(?:约(?:为)?|大约|接近|近|将近|左右|大概|approximately|approx\.?|about|around|nearly|roughly|almost|some)\s?(?:为|人民币|rmb)?\s?$"
)
_LATE_HEDGE = re.compile(r"\s?(?:左右|上下)")
FAMILY = {"<=": "<", "<": "<", ">=": ">", ">": ">", "": ""}


def bound_of(text: str, start: int, end: int) -> str:
    """Return the bound that the words around a number make of it, "" for none."""
    after = _AFTER.match(text, end)
    if after is not None:
        return ">=" if after["ge"] else "<="
    window = text[max(0, start - 24) : start]
    last = None
    for match in _BEFORE_PATTERN.finditer(window):
        if _GAP.fullmatch(window, match.end()):
            last = match
    return "" if last is None or last.lastgroup is None else _BEFORE[int(last.lastgroup[1:])][0]


def is_hedged(text: str, start: int, end: int) -> bool:
    """Whether the text says that a number is an estimate."""
    return _HEDGE.search(text[max(0, start - 24) : start]) is not None or _LATE_HEDGE.match(text, end) is not None
