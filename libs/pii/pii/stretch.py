"""Stretches of digits: what stands between two letters, cut at what is plainly something else (a UUID, a hash, a date, an amount).

A stretch is a list of groups, which are digits without anything between them. What lies between groups does not matter: space, hyphen,
newline, emoji. A change between ASCII digits and Chinese numerals begins a new group too: 账户一6222… is an account and a card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, groupby, pairwise

from pii.view import NUMERALS

MIN_DIGITS = 10
_MAX_GAP = 6
_CHINESE = "".join(NUMERALS)
_TO_ASCII = str.maketrans(NUMERALS)
_RUN = re.compile(rf"[0-9{_CHINESE}][\W_0-9{_CHINESE}]{{{MIN_DIGITS - 1},}}+")
_GROUP = re.compile(f"[0-9]+|[{_CHINESE}]+")
_SPLIT = re.compile(f"([0-9]+|[{_CHINESE}]+)")
_HASH = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,128}+(?![0-9A-Za-z])")  # 33 to 39 and the like are no hash
_HASH_LENGTHS = frozenset((32, 40, 48, 56, 64, 96, 128))
UUID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])")
_SHORTEST_FIXED = 32
_HEXADECIMAL_OR_HYPHEN = "0123456789abcdefABCDEF-"
_WORD = re.compile("[0-9A-Fa-f-]*+")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_OTHERWISE = re.compile(
    r"(?=[0-9])(?<![0-9])(?:"
    r"(?:19|20)[0-9]{2}([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])(?![0-9])"  # a date
    r"|(?<![:.])(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?![0-9:])"  # a time of day
    rf"|(?<!\.)(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?[0-9])"  # an IPv4 address
    r"|(?<![0-9][.,])[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,4})?(?!,?[0-9])"  # an amount with thousands
    r"|(?<![0-9][.,])[0-9]{1,12}\.[0-9]{1,2}(?![.,]?[0-9]))"  # an amount with cents
)
_SIGN = re.compile("[-/.:,]")
_LETTER_OF_SIZE = b"0123456789abcdefghijklmnopqrstuvwxyz".ljust(256, b"z")


class Stretch:
    """Groups with nothing but separators between them.

    Group i is characters ``starts[i]`` up to ``ends[i]``, and begins at digit ``bounds[i]`` of ``digits``, which are those of all groups.
    ``sizes`` has a letter a group, its number of digits in base 36: shapes are patterns over it.
    """

    def __init__(self, text: str, starts: list[int], ends: list[int], digits: list[str], gaps: list[str]) -> None:
        self.text = text
        self.starts = starts
        self.ends = ends
        joined = "".join(digits)
        self.digits = joined if joined.isascii() else joined.translate(_TO_ASCII)
        lengths = list(map(len, digits))
        self.bounds = list(accumulate(lengths, initial=0))
        self.sizes = bytes(lengths if max(lengths) < 256 else [min(length, 255) for length in lengths]).translate(_LETTER_OF_SIZE).decode()
        self._gaps = gaps

    def index(self) -> dict[int, int]:
        """The number of the group that begins at a digit (one more than there are: the end)."""
        return {bound: number for number, bound in enumerate(self.bounds)}

    def spaced(self) -> str:
        """The digits, a space between groups."""
        return " ".join([self.digits[start:end] for start, end in pairwise(self.bounds)])

    def uniform(self) -> list[tuple[int, int]]:
        """Runs of at least two groups (first, one after the last) that the same separator parts, and the whole."""
        runs, at = [(0, len(self.starts))], 0
        for _, same in groupby(self._gaps):
            length = len(list(same))
            if length < len(self._gaps):
                runs.append((at, at + length + 1))
            at += length
        return runs

    def place(self, first: int, after: int) -> tuple[int, int]:
        """Characters of groups ``first`` up to ``after``."""
        return self.starts[first], self.ends[after - 1]


def stretches(text: str) -> Iterator[Stretch]:
    """Yield the stretches of a view that hold at least MIN_DIGITS digits."""
    word_end = 0
    fixed: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        start, end = run.span()
        parts = _SPLIT.split(run[0])  # nothing, group, separator, group, ... separator
        digits = parts[1::2]
        lengths = list(map(len, digits))
        if sum(lengths) < MIN_DIGITS:
            continue
        if end > word_end:
            before = text[word_end:start]
            first = word_end + len(before.rstrip(_HEXADECIMAL_OR_HYPHEN))
            word_end = _WORD.match(text, end).end()  # type: ignore[union-attr]
            fixed = _fixed(text, first, word_end) if word_end - first >= _SHORTEST_FIXED else []
        known = [match.span() for match in _OTHERWISE.finditer(text, start, end)] if _SIGN.search(text, start, end) else []
        places = list(accumulate(map(len, parts), initial=start))
        starts, ends, gaps = places[1:-1:2], places[2::2], parts[2:-1:2]
        if known or fixed or (gaps and max(map(len, gaps)) > _MAX_GAP):
            for first, after in _pieces(starts, ends, sorted(known + fixed)):
                if sum(lengths[first:after]) >= MIN_DIGITS:
                    yield Stretch(text, starts[first:after], ends[first:after], digits[first:after], gaps[first : after - 1])
        else:
            yield Stretch(text, starts, ends, digits, gaps)


def _fixed(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """UUIDs and hashes: whole words, so that a card with letters glued to it is none."""
    found = [match.span() for match in UUID.finditer(text, start, end)]
    found += [match.span() for match in _HASH.finditer(text, start, end) if match.end() - match.start() in _HASH_LENGTHS]
    return sorted(found)


def _pieces(starts: list[int], ends: list[int], known: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield runs of groups (first, one after the last), cut at what is known and at wide gaps."""
    at, first = 0, 0
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        while at < len(known) and known[at][1] <= start:
            at += 1
        inside = at < len(known) and known[at][0] < end
        if first < number and (inside or start - ends[number - 1] > _MAX_GAP):
            yield first, number
            first = number
        if inside:
            first = number + 1
    if first < len(starts):
        yield first, len(starts)
