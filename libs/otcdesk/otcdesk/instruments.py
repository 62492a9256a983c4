"""The instrument master: which code the client's words name.

By exchange code, with or without suffix, short name or alias, all folded alike. Words that name several instruments name none: 000001 is
a bank in Shenzhen and an index in Shanghai.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from otcdesk.fold import fold

FILE = "instruments.csv"


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
            for name in (row.code, row.code.replace(".", ""), row.code.partition(".")[0], row.name, *row.aliases):
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
        return frozenset(self._names.get(key(words), ()))

    def resolve(self, words: str) -> str | None:
        """Return the code that the words name; None when they name none or several."""
        codes = self.codes(words)
        return next(iter(codes)) if len(codes) == 1 else None


def key(words: str) -> str:
    """Return what names are compared by: folded, without blanks and separators."""
    return "".join(each for each in fold(words).text if each.isalnum() or each == ".").strip(".")
