"""Numbers of a text with what they mean: kind, unit, exact magnitude, the precision they were stated with, and where they stand.

``find`` reads folded text (``claims.folding``); spans are of that text, and ``Folded.source`` leads back to the source. A magnitude is in
the base
unit: yuan for 万元, hours for days, months for years, percentage points for basis points. Periods (``claims.periods``) and names made of
digits
(``claims.references``) are no values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from claims import numerals, references, units
from claims.bounds import bound_of, is_hedged
from claims.units import Kind, Unit


@dataclass(frozen=True, slots=True)
class Value:
    """One number. ``quantum`` is the step it was stated in: 3.2亿 in tens of millions, 320,145,000 in ones."""

    kind: Kind
    magnitude: Decimal
    unit: str
    quantum: Decimal
    start: int
    end: int
    bound: str = ""  # "<=" of 不超过, ">=" of 至少, "" of a plain number
    hedged: bool = False
    scaled: bool = False

    @property
    def digits(self) -> int:
        """Significant digits that were stated."""
        return len(str(int(abs(self.magnitude / self.quantum))))

    def states(self, other: Value) -> bool:
        """Whether this number says the magnitude of another: the same, or the other rounded to the precision of this one."""
        mine, theirs = self.magnitude, other.magnitude
        if mine == theirs:
            return True
        if self.quantum <= other.quantum:
            return False
        if not self.hedged and self.digits < 2:
            return False
        return any(_rounded(theirs, self.quantum, how) == mine for how in (ROUND_HALF_UP, ROUND_HALF_EVEN))


def _rounded(magnitude: Decimal, quantum: Decimal, how: str) -> Decimal:
    return (magnitude / quantum).quantize(Decimal(1), rounding=how) * quantum


_DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+"
_SCALE = (
    r"万亿|[千百十]亿|亿|[千百十]万|万|(?:trillion|tn|billion|bn|million|mn|thousand|hundred)(?![a-z])|[仟千佰百](?![分克米瓦])|(?:k|"
    r"mm|m|b)(?![a-z0-9])"
)
_CN = f"[{numerals.CHARACTERS}]"
_NUMBER = re.compile(
    rf"(?P<open>\((?=[^()]{{1,24}}\)))?(?P<sign>(?<![0-9a-z%)\]元日天月年万亿])[-+]|负|"
    rf"minus\s)?\s?(?:(?P<prefix>{units.PREFIX})\s?(?P<open2>\()?(?P<inner>-)?)?"
    rf"(?:(?P<digits>{_DIGITS})(?P<close0>\))?(?P<scales>(?:\s?(?:{_SCALE})(?:零?(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?|"
    rf"[0-9]+(?:\.[0-9]+)?)(?:{_SCALE}))*)?)"
    rf"(?P<tail>(?<=[万亿千百])[0-9]{{1,4}}(?=元))?"
    rf"|(?P<fraction>(?:百|千|万)分之)(?P<share>{_CN}+|[0-9.]+)"
    rf"|(?P<below>[{''.join(numerals.DIGITS)}十]+)分之(?P<above>[{''.join(numerals.DIGITS)}十]+)"
    rf"|(?P<chinese>{_CN}+))"
)
_UNIT = re.compile(rf"\s?(?:{units.UNIT})")
_AFTER_PREFIX = re.compile(r"\s?(?:元|人民币|yuan)")
_SMALL_CHANGE = re.compile(
    rf"(?:(?P<jiao>[0-9]|[{''.join(numerals.DIGITS)}])角)?(?:零?(?P<fen>[0-9]|[{''.join(numerals.DIGITS)}])分)?(?:整|正)?"
)
_PER_CENT = {"百分之": Decimal(1), "千分之": Decimal("0.1"), "万分之": Decimal("0.01")}
_STEP = re.compile(rf"\s?({_SCALE})|零?([0-9][0-9,]*(?:\.[0-9]+)?)")
_RANGE = re.compile(r"\s?(?:-|至|到|to|and)\s?")
_NO_UNIT = Unit(Kind.NUMBER, "")
_WEAK = frozenset("个种条期位只所页间头架枚款")
_CAPITALS = frozenset("壹贰叁肆伍陆柒捌玖拾佰仟")


def find(text: str, taken: Sequence[tuple[int, int]] | None = None) -> list[Value]:
    """Return the values of a folded text, in its order; ``taken`` is something else: by default its periods and references."""
    if taken is None:
        taken = others(text)
    busy = bytearray(len(text))
    for start, end in taken:
        busy[start:end] = b"\x01" * (end - start)
    return list(_ranged(text, list(_found(text, busy))))


def others(text: str) -> list[tuple[int, int]]:
    """Return the stretches of a folded text that hold digits and are no values."""
    when, named = references.dated(text)
    return [(one.start, one.end) for one in when] + [(one.start, one.end) for one in named]


def _found(text: str, busy: bytearray) -> Iterator[Value]:
    at = 0
    while (match := _NUMBER.search(text, at)) is not None:
        at = match.end()
        value = _value(text, match, busy)
        if value is not None:
            at = max(at, value.end)
            yield value
        elif match["digits"] is None and match["chinese"] is None:
            at = match.start() + 1 if match.end() == match.start() else match.end()


def _value(text: str, match: re.Match[str], busy: bytearray) -> Value | None:
    number = _magnitude(match)
    if number is None or any(busy[_core(match) : match.end()]):
        return None
    magnitude, quantum, scaled = number
    start, end = match.start(), match.end()
    if match["fraction"] or match["below"]:
        unit: Unit | None = Unit(Kind.RATIO, "percent")
    else:
        unit, end = _unit(text, match, end)
        if match["chinese"] and not _is_written_number(match["chinese"], unit):
            return None
    unit = unit or _NO_UNIT
    if unit.name == "CNY" and (change := _SMALL_CHANGE.match(text, end)) and change.end() > end:
        extra, step = _change(change)
        magnitude, quantum, end = magnitude + extra, min(quantum, step), change.end()
    start += len(match[0]) - len(match[0].lstrip())
    negative, start, end = _sign(text, match, start, end)
    if negative:
        magnitude = -magnitude
    return Value(
        kind=unit.kind,
        magnitude=magnitude * unit.factor,
        unit=unit.name,
        quantum=quantum * unit.factor,
        start=start,
        end=end,
        bound=bound_of(text, start, end),
        hedged=is_hedged(text, start, end),
        scaled=scaled,
    )


def _core(match: re.Match[str]) -> int:
    return next(match.start(name) for name in ("digits", "fraction", "below", "chinese") if match[name])


def _magnitude(match: re.Match[str]) -> tuple[Decimal, Decimal, bool] | None:
    if match["digits"]:
        return _scaled(match["digits"], match["scales"], match["tail"])
    if match["fraction"]:
        share = match["share"].strip(".")
        number = Decimal(share) if share and share[0] in "0123456789" and share.count(".") < 2 else numerals.chinese(share)
        factor = _PER_CENT[match["fraction"]]
        return None if number is None else (number * factor, _step(number) * factor, False)
    if match["below"]:
        below, above = numerals.chinese(match["below"]), numerals.chinese(match["above"])
        return None if not below or above is None else (above * 100 / below, Decimal("0.0001"), False)
    number = numerals.chinese(match["chinese"])
    return None if number is None else (number, _step(number), any(one in match["chinese"] for one in "万亿"))


def _step(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    return Decimal(1).scaleb(min(0, exponent if isinstance(exponent, int) else 0))


def _scaled(digits: str, scales: str, tail: str | None) -> tuple[Decimal, Decimal, bool]:
    total, number = Decimal(0), Decimal(digits.replace(",", ""))
    quantum, scaled = _step(number), False
    for scale, more in _STEP.findall(scales):
        if scale:
            factor = numerals.SCALES[scale]
            total, quantum, scaled = total + number * factor, _step(number) * factor, True
            number = Decimal(0)
        else:
            number = Decimal(more.replace(",", ""))
    if tail:
        number, quantum = Decimal(tail), Decimal(1)
    return total + number, quantum, scaled


def _unit(text: str, match: re.Match[str], end: int) -> tuple[Unit | None, int]:
    unit = units.prefix(match["prefix"]) if match["prefix"] else None
    if unit is not None:
        after = _AFTER_PREFIX.match(text, end)
        return unit, after.end() if after else end
    found = _UNIT.match(text, end)
    if found is None:
        return None, end
    unit = units.named(found)
    if unit is not None and unit.name in _WEAK and text[found.end() : found.end() + 1] in ("月", "百", "基"):
        return None, end
    return unit, found.end()


def _is_written_number(written: str, unit: Unit | None) -> bool:
    """Whether Chinese numerals are a number here: with a unit that counts; 一个 and 一种 are articles, 一定 and 万一 are words."""
    if any(one in _CAPITALS for one in written) and len(written) > 1:
        return True
    if written in ("千", "百", "万", "亿", "点", "零") or written.startswith("点") or unit is None:
        return False
    return not (unit.name in _WEAK or (written == "一" and unit.kind is Kind.COUNT and unit.name not in ("人", "次", "年")))


def _change(match: re.Match[str]) -> tuple[Decimal, Decimal]:
    def digit(text: str | None) -> int:
        return 0 if not text else int(text) if text.isascii() else numerals.DIGITS[text]

    step = Decimal("0.01") if match["fen"] else Decimal("0.1") if match["jiao"] else Decimal(1)
    return Decimal(digit(match["jiao"])) / 10 + Decimal(digit(match["fen"])) / 100, step


def _sign(text: str, match: re.Match[str], start: int, end: int) -> tuple[bool, int, int]:
    opened = match["open"] or match["open2"]
    digits = match["digits"] or ""
    if (
        opened
        and (match["close0"] or text[end : end + 1] == ")")
        and ("," in digits or "." in digits or len(digits) > 1 or match["prefix"])
    ):
        return True, start, end if match["close0"] else end + 1
    if match["open"]:
        start += 1
    return bool(match["sign"] and match["sign"].strip() != "+") or bool(match["inner"]), start, end


def _ranged(text: str, found: list[Value]) -> Iterator[Value]:
    """Yield the values; the first of a range (30-60日, 3至5万元) takes unit and scale of the second."""
    following: list[Value | None] = [*found[1:], None]
    for one, two in zip(found, following[: len(found)], strict=True):
        if two is None or one.unit or not two.unit or not _RANGE.fullmatch(text, one.end, two.start):
            yield one
            continue
        factor = _factor(two) if one.scaled else two.quantum / _step_of(text, two)
        yield replace(one, kind=two.kind, unit=two.unit, magnitude=one.magnitude * factor, quantum=one.quantum * factor)


def _step_of(text: str, value: Value) -> Decimal:
    match = re.search(_DIGITS, text[value.start : value.end])
    return _step(Decimal(match[0].replace(",", ""))) if match else Decimal(1)


def _factor(value: Value) -> Decimal:
    return next((unit.factor for unit in units.UNITS if unit.kind is value.kind and unit.name == value.unit), Decimal(1))
