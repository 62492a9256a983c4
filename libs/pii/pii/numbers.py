"""Identifiers made of digits: resident ids before cards (one id in ten passes a card's check), then telephone numbers.

A number in one group, or in the groups it is usually written in, is looked for anywhere; in any other grouping only where it fills the
whole stretch, or all that one separator parts: of the windows of a long table one in ten would pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.checks import begins_with_a_date, is_card, is_issued, is_luhn, is_old_resident_id, is_resident_id
from pii.finding import Certainty, Finding, Kind
from pii.stretch import Stretch

_LONG = re.compile("[b-j]")  # 11 to 19 digits
_RESIDENT = re.compile(r"(?=[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3})")
_X = re.compile(r"[Xx]|[\W_]{1,3}+[Xx](?![0-9A-Za-z])")
_CARD_SHAPES = re.compile(r"(?=(4444)([123])?|46[45]|6[acd]|88)")
_MOBILE = re.compile(r"(?:0{0,2}86)?1[3-9][0-9]{9}")
# Over groups joined by spaces. A mobile number is written 3-4-4, 3-8, 3-3-5 or 4-4-3, a landline after its area code.
_SPACED_SIZES = re.compile("[234]b|344|335|38|443|[34](?:44|34|[78])|2[23](?:44|34|[78])")
_CODE = "(?:10|2[0-57-9])"
_ABROAD = "0{0,2}86 "
_LOCAL = r"[2-8][0-9]{%s} ?[0-9]{4}(?![0-9])"
_SPACED_MOBILE = re.compile(
    rf"(?<![0-9])(?:{_ABROAD}1[3-9][0-9]{{9}}(?![0-9])|(?:{_ABROAD})?1[3-9][0-9]"
    r"(?: [0-9]{4} [0-9]{4}| (?!(?:19|20)[0-9]{2}[01][0-9][0-3])[0-9]{8}| [0-9]{3} [0-9]{5}|[0-9] [0-9]{4} [0-9]{3})(?![0-9]))"
)
_SPACED_LANDLINE = re.compile(rf"(?<![0-9])(?:0|{_ABROAD}0?)(?:{_CODE} {_LOCAL % 3}|[3-9][0-9]{{2}} {_LOCAL % '2,3'})")
_LANDLINE = re.compile(
    rf"(?<![0-9])(?:(?:0{{0,2}}86 )?0?{_CODE} {_LOCAL % 3}|(?:0{{0,2}}86 )?0?[3-9][0-9]{{2}} {_LOCAL % '2,3'})".replace(
        "(?:0{0,2}86 )?0?", "(?:0|0{0,2}86 0?)"
    )
)
_LANDLINE = re.compile(rf"0(?:{_CODE}[2-8][0-9]{{7}}|[3-9][0-9]{{2}}[2-8][0-9]{{6,7}})")
_MONEY_AFTER = re.compile(r" ?(?:[元圆円万亿]|[美欧日港]元|CNY|RMB|USD|EUR)")
_MONEY_BEFORE = re.compile(r"[¥￥$€£] ?\Z")
_LETTERS_BEFORE = re.compile(r"[A-Za-z]+\Z")
_TELEPHONE = re.compile(r"tel|phone|mob|cell|fax|call|sms|contact|电话|電話|座机|固话|传真|手机|手機|联系|致电", re.I)
_IDENTITY = re.compile(r"身份|证件|證件|identity|(?<![a-z])id(?![a-z])", re.I)
_HEX = re.compile(r"[0-9A-Fa-f]*")
_CONTEXT = 20


def numbers(stretch: Stretch) -> Iterator[Finding]:
    """Yield what a stretch of digits holds."""
    for long in _LONG.finditer(stretch.sizes):
        yield from _alone(stretch, long.start())
    if len(stretch.starts) > 1:
        runs = stretch.uniform()
        yield from _resident_ids(stretch)
        yield from _cards(stretch, runs)
        yield from _telephones(stretch, runs)


def _alone(stretch: Stretch, number: int) -> Iterator[Finding]:
    start, end = stretch.starts[number], stretch.ends[number]
    digits = stretch.digits[stretch.bounds[number] : stretch.bounds[number + 1]]
    size, text = len(digits), stretch.text
    if size == 18 and is_resident_id(digits):
        yield Finding(Kind.RESIDENT_ID, start, end, Certainty.CERTAIN)
    elif size == 17 and (check := _X.match(text, end)) and is_resident_id(digits + "X"):
        yield Finding(Kind.RESIDENT_ID, start, check.end(), Certainty.CERTAIN)
    elif size >= 13 and is_card(digits) and not begins_with_a_date(digits) and not (size == 13 and _is_glued(text, start, end)):
        yield Finding(Kind.CARD, start, end, Certainty.LIKELY if size == 13 else Certainty.CERTAIN)
    elif size == 15 and is_old_resident_id(digits) and _IDENTITY.search(text, max(0, start - _CONTEXT), start):
        yield Finding(Kind.RESIDENT_ID, start, end, Certainty.LIKELY)
    elif _is_mobile(digits):
        if not _is_something_else(text, start, end):
            yield Finding(Kind.MOBILE, start, end, Certainty.LIKELY)
    elif _LANDLINE.fullmatch(digits) and _TELEPHONE.search(text, max(0, start - _CONTEXT), start):
        yield Finding(Kind.LANDLINE, start, end, Certainty.LIKELY)


def _is_mobile(digits: str) -> bool:
    return _MOBILE.fullmatch(digits) is not None


def _is_glued(text: str, start: int, end: int) -> bool:
    return any(side.isascii() and side.isalpha() for side in (text[max(0, start - 1) : start], text[end : end + 1]))


def _is_something_else(text: str, start: int, end: int) -> bool:
    """Eleven digits without a check digit: an amount, the number after an order's letters, part of a hex word."""
    if _MONEY_AFTER.match(text, end) or _MONEY_BEFORE.search(text, max(0, start - 2), start):
        return True
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before.isascii() and before.isalpha():
        letters = _LETTERS_BEFORE.search(text, max(0, start - 12), start)
        if letters is None or not _TELEPHONE.search(letters[0]):
            return True
    hexadecimal = _HEX.match(text, start) if after.isascii() and after.isalpha() else None
    return hexadecimal is not None and hexadecimal.end() - start >= 16


def _resident_ids(stretch: Stretch) -> Iterator[Finding]:
    digits = stretch.digits
    index: dict[int, int] = {}
    for match in _RESIDENT.finditer(digits):
        index = index or stretch.index()
        first = index.get(match.start())
        if first is None:
            continue
        after = index.get(match.start() + 18)
        if after is not None and after - first > 1 and is_resident_id(digits[match.start() : match.start() + 18]):
            yield Finding(Kind.RESIDENT_ID, *stretch.place(first, after), Certainty.CERTAIN)
            continue
        check = _X.match(stretch.text, stretch.ends[-1]) if match.start() + 17 == len(digits) else None
        if check is not None and is_resident_id(digits[match.start() :] + "X"):
            yield Finding(Kind.RESIDENT_ID, stretch.starts[first], check.end(), Certainty.CERTAIN)


def _cards(stretch: Stretch, runs: list[tuple[int, int]]) -> Iterator[Finding]:
    sizes = stretch.sizes
    looked_at = set()
    for shape in _CARD_SHAPES.finditer(sizes):
        first = shape.start()
        if shape[1]:
            afters: tuple[int, ...] = (first + 5, first + 4) if shape[2] else (first + 4,)
        else:
            afters = (first + (3 if sizes[first : first + 2] == "46" else 2),)
        for after in afters:
            looked_at.add((first, after))
            if _is_card(stretch, first, after):
                yield Finding(Kind.CARD, *stretch.place(first, after), Certainty.CERTAIN)
                break
    for run in runs:
        if run not in looked_at and _is_card(stretch, *run):
            yield Finding(Kind.CARD, *stretch.place(*run), Certainty.LIKELY)


def _is_card(stretch: Stretch, first: int, after: int) -> bool:
    start, end = stretch.bounds[first], stretch.bounds[after]
    return 14 <= end - start <= 19 and is_issued(stretch.digits, start, end) and is_luhn(stretch.digits[start:end])


def _telephones(stretch: Stretch, runs: list[tuple[int, int]]) -> Iterator[Finding]:
    if _SPACED_SIZES.search(stretch.sizes):
        spaced = stretch.spaced()
        for kind, pattern in ((Kind.MOBILE, _SPACED_MOBILE), (Kind.LANDLINE, _SPACED_LANDLINE)):
            at = first = 0
            for match in pattern.finditer(spaced):
                first += spaced.count(" ", at, match.start())
                at = match.start()
                yield Finding(kind, *stretch.place(first, first + match[0].count(" ") + 1), Certainty.LIKELY)
    for first, after in runs:
        start, end = stretch.bounds[first], stretch.bounds[after]
        if 11 <= end - start <= 15 and _is_mobile(stretch.digits[start:end]) and _is_deliberate(stretch, first, after):
            yield Finding(Kind.MOBILE, *stretch.place(first, after), Certainty.LIKELY)


def _is_deliberate(stretch: Stretch, first: int, after: int) -> bool:
    """Whether groups are one number that was split, not a list of small numbers."""
    sizes = stretch.sizes[first:after]
    before = stretch.text[max(0, stretch.starts[first] - 1) : stretch.starts[first]]
    if before.isascii() and before.isalpha():
        return False
    return set(sizes) == {"1"} or min(sizes) >= "3" or stretch.text[stretch.ends[first]] not in " ,.、"
