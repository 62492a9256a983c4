"""A passage made ready for comparison: folded once, cut into sentences and table rows, each with its terms, facts and periods."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from claims import facts, folding, periods, references, segments, tables, terms, values
from claims.facts import Fact
from claims.folding import Folded
from claims.periods import Period
from claims.references import Mark, Reference


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that a statement cites: its text as stored, and what stands above it (title, headings, header of a table cut in two)."""

    text: str
    title: str = ""
    headings: tuple[str, ...] = ()
    table_header: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One sentence or table row of a folded passage."""

    start: int
    end: int
    text: str
    terms: frozenset[str]
    facts: tuple[Fact, ...]
    periods: tuple[Period, ...]
    references: tuple[Reference, ...]
    is_row: bool = False
    header: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A passage ready to be compared with. ``context`` are terms of what stands above."""

    folded: Folded
    pieces: tuple[Piece, ...]
    context: frozenset[str]
    context_periods: tuple[Period, ...]
    context_text: str


@lru_cache(maxsize=2_048)
def prepare(evidence: Evidence) -> Prepared:
    """Read a passage; the same passage is read once."""
    folded = folding.fold(evidence.text)
    above = folding.fold("\n".join((evidence.title, *evidence.headings))).text
    header = folding.fold(evidence.table_header).text
    return Prepared(
        folded,
        tuple(_pieces(folded.text, above, header)),
        terms.of(above + "\n" + header),
        tuple(periods.find(above)),
        above + "\n" + header,
    )


def pieces(text: str) -> tuple[Piece, ...]:
    """Return the sentences of a folded text, as those of a statement."""
    return tuple(_pieces(text, "", ""))


def _pieces(text: str, above: str, header: str) -> Iterator[Piece]:
    lines = list(_lines(text))
    at = 0
    while at < len(lines):
        stop = at
        while stop < len(lines) and len(tables.cells(text[slice(*lines[stop])], 0)) > 1:
            stop += 1
        if stop > at:
            yield from _table(text, lines[at:stop], header, "\n".join((above, header, text[: lines[at][0]][-300:])))
            at = stop
            continue
        while stop < len(lines) and len(tables.cells(text[slice(*lines[stop])], 0)) < 2:
            stop += 1
        yield from _running(text, lines[at][0], lines[stop - 1][1])
        at = stop


def _lines(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for match in re.finditer(r"\n|$", text):
        if text[at : match.start()].strip():
            yield at, match.start()
        at = match.end()


def _table(text: str, lines: Sequence[tuple[int, int]], header: str, around: str) -> Iterator[Piece]:
    shift = len(header) + 1 if header else 0
    whole = f"{header}\n{text}" if header else text
    head = list(_lines(header))
    for row in tables.rows(whole, [*head, *((one + shift, two + shift) for one, two in lines)], around):
        start, end = row.start - shift, row.end - shift
        if start < 0:
            continue
        line = text[start:end]
        found = tuple(Fact(_moved(fact, -row.start), fact.label, fact.period, fact.row, fact.column) for fact in row.facts)
        mine = periods.find(line) + [fact.period for fact in found if fact.period]
        yield Piece(
            start=start,
            end=end,
            text=line,
            terms=terms.of(line) | terms.of(row.header),
            facts=found,
            periods=tuple(mine),
            references=(),
            is_row=True,
            header=row.header,
        )


def _moved(fact: Fact, by: int) -> values.Value:
    return replace(fact.value, start=fact.value.start + by, end=fact.value.end + by)


def _running(text: str, start: int, end: int) -> Iterator[Piece]:
    for one, two in segments.sentences(text[start:end]):
        yield piece(text[start + one : start + two], start + one)


def piece(text: str, at: int) -> Piece:
    """Read one sentence of running text, which stands at a place of the folded passage; spans inside are its own."""
    dated, named = references.dated(text)
    skip = [(item.start, item.end) for item in dated] + [(item.start, item.end) for item in named]
    found = values.find(text, skip)
    skip += [(item.start, item.end) for item in found]
    bound = facts.of_text(text, 0, len(text), found, dated, skip)
    marks = tuple(item for item in named if item.mark is not Mark.LIST)
    return Piece(
        start=at,
        end=at + len(text),
        text=text,
        terms=terms.of(text, skip),
        facts=tuple(bound),
        periods=tuple(dated),
        references=marks,
    )
