"""The instrument master: which code the client's words name.

By exchange code, with or without suffix, short name or alias, all folded alike; with the word for their kind behind (中证500指数), as
sh600519, 700.hk, or by name and code at once (茅台(600519)). Words that name several instruments name none: 000001 is a bank in Shenzhen
and an index in Shanghai.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources

from otcdesk.fold import fold

FILE = "instruments.csv"
_KINDS = {"index": ("指数", "index"), "etf": ("基金",), "stock": ("股票", "正股", "a股", "h股", "个股")}
_HONG_KONG = re.compile(r"(?:hk)?0*([0-9]{1,5})(?:\.?hk)?")
_APART = re.compile(
    r"[^\w.]+|(?<=[^\W0-9])(?=[0-9]{6}(?![0-9]))|(?<=[^\x00-\x7f])(?=[0-9]{1,5}\.?hk|[a-z]+\.hi)"
    r"|(?:(?<=[0-9]{6})|(?<=\.s[hz])|(?<=[0-9]hk)|(?<=\.h[ki]))(?=[^\W0-9a-z])"
)


class InstrumentsError(ValueError):
    """The master has a row that can't be meant: the message names it."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row. ``code``: with the exchange's suffix; ``kind``: index, etf or stock."""

    code: str
    name: str
    kind: str
    aliases: tuple[str, ...]


class Instruments:
    """Raises InstrumentsError for codes that come twice."""

    def __init__(self, rows: Iterable[Instrument]) -> None:
        self.rows = tuple(rows)
        self._names: dict[str, set[str]] = {}
        if len({row.code for row in self.rows}) != len(self.rows):
            raise InstrumentsError("a code stands in it twice")
        for row in self.rows:
            number, _, exchange = row.code.partition(".")
            names = (row.code, number + exchange, exchange + number, number, row.name, *row.aliases)
            for name in (*names, *(name + tail for name in (row.name, *row.aliases) for tail in _KINDS.get(row.kind, ()))):
                self._names.setdefault(key(name), set()).add(row.code)

    @classmethod
    def read(cls, content: str | None = None) -> Instruments:
        """Read a master, columns code, name, kind, aliases (separated by ";"); the one that is shipped when none is given."""
        if content is None:
            content = resources.files("otcdesk").joinpath(FILE).read_text(encoding="utf-8")
        rows = []
        for number, row in enumerate(csv.DictReader(content.splitlines()), 2):
            fields = [row.get(name) for name in ("code", "name", "kind")]
            if None in row or not all(fields):
                raise InstrumentsError(f"line {number}: code, name, kind and aliases are wanted")
            code, name, kind = (str(field).strip() for field in fields)
            aliases = tuple(each.strip() for each in (row.get("aliases") or "").split(";") if each.strip())
            rows.append(Instrument(code, name, kind, aliases))
        return cls(rows)

    def codes(self, words: str) -> frozenset[str]:
        """Return the codes that the words may mean."""
        found = self._named(words)
        if found:
            return found
        each = [self._named(part) for part in _APART.split(fold(words).text) if part]
        if len(each) < 2 or not all(each):
            return frozenset()
        return frozenset.intersection(*each) or frozenset.union(*each)

    def named_in(self, text: str) -> list[tuple[int, int]]:
        """Return where a folded text has names of the master, none inside another; in its order. Blanks in between are none."""
        places = [place for place, each in enumerate(text) if each != " "]
        dense = "".join(text[place] for place in places)
        spans = sorted({span for name in self._names if len(name) > 1 for span in _spans(dense, name)})
        longest = [span for span in spans if not any(span != (s, e) and s <= span[0] and span[1] <= e for s, e in spans)]
        return [(places[start], places[end - 1] + 1) for start, end in longest]

    def _named(self, words: str) -> frozenset[str]:
        name = key(words)
        hong_kong = _HONG_KONG.fullmatch(name) if "hk" in name else None
        return frozenset(self._names.get(f"{hong_kong[1]:0>5}hk" if hong_kong else name, ()))

    def resolve(self, words: str) -> str | None:
        """Return the code that the words name; None when they name none or several."""
        codes = self.codes(words)
        return next(iter(codes)) if len(codes) == 1 else None


def _spans(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Yield where a name stands in a text, but for the inside of longer numbers and Latin words."""
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        if not cuts_word(text, start) and not cuts_word(text, end):
            yield start, end
        start = text.find(name, start + 1)


def cuts_word(text: str, place: int) -> bool:
    """Say whether a place is inside a number or a word in Latin letters."""
    around = text[place - 1 : place + 1] if 0 < place < len(text) else ""
    return around.isascii() and (around.isdigit() or around.isalpha())


def key(words: str) -> str:
    """Return what names are compared by: folded, without blanks and separators."""
    return "".join(each for each in fold(words).text if each.isalnum() or each == ".").strip(".")
