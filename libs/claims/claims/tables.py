"""Rows and cells of a table that stands in a text: one line a row, cells parted by bars or tabs.

Each number is bound to its row, its column, the period of either, and the unit that its cell, column, row or the words around the table
name.
Header rows with fewer cells than a row belong to its last columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from claims import facts, numerals, periods, terms, units, values
from claims.facts import Fact
from claims.periods import Period
from claims.units import Kind, Unit
from claims.values import Value

Span = tuple[int, int]
_RULE = re.compile(r"[\s|:=+-]*")
_SCALE_WORDS = re.compile(
    r"(?:单位|金额单位|币种|单位及币种)\s?[:为]?\s?(?P<c>人民币|美元|港元|港币|欧元)?\s?(?P<s>[千百十]?[万亿]|千|百)?\s?(?P<u>元|美元|"
    r"港元|欧元|%|人|户|家|件|股|吨|日|天|月|年)?"
    r"|(?P<c2>人民币|美元|港元)?(?P<s2>[千百十]?[万亿]|千|百)(?P<u2>元|美元|港元|欧元|股|人|户|吨)"
    r"|(?P<c3>rmb|cny|us\$|usd|hk\$|hkd|\$|€|£|¥)?\s?\(?(?:in\s)?(?P<c4>rmb|us\$|hk\$|\$|€|£)?\s?(?P<s3>thousand|million|"
    r"billion)s?\b(?:\s(?:of\s)?(?P<u4>us dollars|u\.s\. dollars|dollars|rmb|yuan|renminbi|euros|hong kong dollars))?"
    r"|[(/](?P<u3>元|美元|%|人|户|家|件|股|吨|日|天|月|年|bps?)\)?"
)
_CODES = {
    "人民币": "CNY",
    "rmb": "CNY",
    "cny": "CNY",
    "元": "CNY",
    "¥": "CNY",
    "美元": "USD",
    "us$": "USD",
    "usd": "USD",
    "$": "USD",
    "dollars": "USD",
    "us dollars": "USD",
}
_CODES |= {"u.s. dollars": "USD", "yuan": "CNY", "renminbi": "CNY", "euros": "EUR", "hong kong dollars": "HKD"}
_CODES |= {"港元": "HKD", "港币": "HKD", "hk$": "HKD", "hkd": "HKD", "欧元": "EUR", "€": "EUR", "£": "GBP"}


@dataclass(frozen=True, slots=True)
class Measure:
    """What plain numbers of a table are: a factor, and a unit where one is named."""

    factor: Decimal = Decimal(1)
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its stretch, the stretches of its cells, its label, and the facts in it."""

    start: int
    end: int
    cells: tuple[Span, ...]
    label: str
    facts: tuple[Fact, ...]
    header: str


def cells(line: str, at: int) -> list[Span]:
    """Return the stretches of a line's cells, blanks trimmed; fewer than two: the line is no row."""
    mark = "\t" if "\t" in line and "|" not in line else "|"
    if mark not in line:
        return []
    start, end = 0, len(line)
    if mark == "|" and line.strip().startswith("|") and line.strip().endswith("|") and len(line.strip()) > 1:
        start, end = line.index("|") + 1, line.rindex("|")
    return [_trim(line, at, one, two) for one, two in _split(line, start, end, mark)]


def _split(line: str, start: int, end: int, mark: str) -> list[Span]:
    spans, left = [], start
    for place in range(start, end):
        if line[place] == mark:
            spans.append((left, place))
            left = place + 1
    return [*spans, (left, end)]


def _trim(line: str, at: int, one: int, two: int) -> Span:
    part = line[one:two]
    left = len(part) - len(part.lstrip())
    return (at + one + left, at + one + max(left, len(part.rstrip())))


def measure(text: str) -> Measure:
    """Return the unit and scale that a caption, header or label names."""
    for match in _SCALE_WORDS.finditer(text):
        groups = match.groupdict()
        scale = next((groups[name] for name in ("s", "s2", "s3") if groups[name]), "")
        word = next((groups[name] for name in ("c", "c2", "c3", "c4", "u", "u2", "u3", "u4") if groups[name]), "")
        if not scale and not word:
            continue
        factor = numerals.SCALES.get(scale, Decimal(1))
        if word in _CODES:
            return Measure(factor, Unit(Kind.MONEY, _CODES[word]))
        named = re.match(units.UNIT, word) if word else None
        return Measure(factor, units.named(named) if named else None)
    return Measure()


def rows(text: str, lines: Sequence[Span], around: str) -> Iterator[Row]:
    """Yield the rows below the header of one table. ``around`` is what stands before it: caption, headings, a header kept elsewhere."""
    split = [(line, cells(text[line[0] : line[1]], line[0])) for line in lines]
    split = [(line, parts) for line, parts in split if not _RULE.fullmatch(text, *line)]
    head = 0
    while head < len(split) and not _has_data(text, split[head][1]):
        head += 1
    if head == len(split):
        head = min(1, len(split))
    headers = [[text[one:two] for one, two in parts] for _, parts in split[:head]]
    whole = measure(around + "\n" + "\n".join(" ".join(one) for one in headers))
    currency = next((unit for _, parts in split for one, two in parts if (unit := _currency(text[one:two]))), None)
    if whole.unit is None and currency is not None:
        whole = Measure(whole.factor, currency)
    section = ""
    for line, parts in split[head:]:
        label = text[slice(*parts[0])] if parts else ""
        if not _has_data(text, parts):
            section = label
        found = tuple(_facts(text, parts, headers, section, whole, around))
        yield Row(*line, cells=tuple(parts), label=label, facts=found, header=_flat(headers))


def _flat(headers: Sequence[Sequence[str]]) -> str:
    return " ".join(cell for row in headers for cell in row if cell)


def _has_data(text: str, parts: Sequence[Span]) -> bool:
    return any(_number(text[one:two]) is not None for one, two in parts[1:])


def _currency(cell: str) -> Unit | None:
    match = re.match(r"us\$|hk\$|\$|¥|€|£|rmb", cell)
    return units.prefix(match[0]) if match else None


def _number(cell: str) -> Value | None:
    """Return the number that a cell is, None for words, dashes and periods."""
    if not cell or periods.find(cell) or not any(one in "0123456789" for one in cell):
        return None
    found = values.find(cell, [])
    words = terms.of(cell, [(one.start, one.end) for one in found])
    if len(found) != 1 or words:
        return None
    value = found[0]
    if re.fullmatch(r"[^0-9a-z]*\([^()]*[0-9][^()]*\)\s?%?", cell) and value.magnitude > 0:
        return replace(value, magnitude=-value.magnitude)
    return value


def _facts(text: str, parts: Sequence[Span], headers: Sequence[Sequence[str]], section: str, whole: Measure, around: str) -> Iterator[Fact]:
    row = text[slice(*parts[0])] if parts else ""
    for place, (one, two) in enumerate(parts[1:], 1):
        cell = text[one:two]
        value = _number(cell)
        found = [value] if value else values.find(cell)
        column = " ".join(_above(header, place, len(parts)) for header in headers).strip()
        label = dict.fromkeys(terms.of(section), 0.5) | dict.fromkeys(terms.of(column), 1.0) | dict.fromkeys(terms.of(row), 1.0)
        if value is None and found:
            bound = facts.of_text(cell, 0, len(cell), found, [], [(item.start, item.end) for item in found])
            for fact in bound:
                yield Fact(_moved(fact.value, one), {**label, **fact.label}, _when(column, row, headers, around), row, column)
        elif value is not None:
            yield Fact(_moved(_measured(value, column, row, whole), one), label, _when(column, row, headers, around), row, column)


def _above(header: Sequence[str], place: int, width: int) -> str:
    """Return the header cell above a cell: its own, the nearest to the left that spans it, or its part of a shorter header."""
    if len(header) == width:
        return header[place] or next((cell for cell in reversed(header[1:place]) if cell), "")
    named = [cell for cell in header if cell]
    columns = width - 1
    if len(named) < 2 or columns % len(named):
        return ""
    return named[(place - 1) // (columns // len(named))]


def _when(column: str, row: str, headers: Sequence[Sequence[str]], around: str) -> Period | None:
    for text in (column, row, _flat(headers), around):
        found = periods.find(text)
        if text in (column, row) and found:
            return found[-1]
        if len(found) == 1:
            return found[0]
    return None


def _moved(value: Value, by: int) -> Value:
    return replace(value, start=value.start + by, end=value.end + by)


def _measured(value: Value, column: str, row: str, whole: Measure) -> Value:
    if value.kind is not Kind.NUMBER and not (value.kind is Kind.MONEY and not value.scaled):
        return value
    named = next((found for found in (measure(column), measure(row)) if found.unit or found.factor != 1), whole)
    unit = named.unit
    if value.kind is Kind.MONEY:
        return replace(value, magnitude=value.magnitude * named.factor, quantum=value.quantum * named.factor, scaled=True)
    if unit is None:
        return replace(value, magnitude=value.magnitude * named.factor, quantum=value.quantum * named.factor, scaled=named.factor != 1)
    factor = named.factor * unit.factor
    return replace(value, kind=unit.kind, unit=unit.name, magnitude=value.magnitude * factor, quantum=value.quantum * factor, scaled=True)
