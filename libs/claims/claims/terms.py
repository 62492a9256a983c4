"""Words of a folded text that carry meaning: pairs of Chinese characters, stems of Latin words. Numbers are values, not words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from claims import wordings

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{HAN}]+|[a-z][a-z0-9&']*(?:-[a-z0-9]+)*")
_STOP_HAN = frozenset("的了是在和与及或为于对将由其之以所该此等按从至到被把向并且则即也都就而")
_STOP_WORDS = (
    "a an the of in on at to for from by with and or as is are was were be been being it its this that these those their our we us you "
    "your he "
    "she they them his her which who whom whose what when where how why do does did has have had having there here than then so such into "
    "during about through per each any all some also both either will would shall should may might can could must amount amounts"
)
_STOP = frozenset(_STOP_WORDS.split())


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return a word without the endings of number, tense and manner."""
    word = word.removesuffix("'s").strip("'")
    if len(word) <= 3:
        return word
    for ending, instead in (
        ("ies", "y"),
        ("sses", "ss"),
        ("ing", ""),
        ("edly", ""),
        ("ed", ""),
        ("ly", ""),
        ("es", ""),
        ("s", ""),
        ("e", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            word = word.removesuffix(ending) + instead
            break
    return (
        word[:-1] if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls" else word.removesuffix("e") if len(word) > 4 else word
    )


def of(text: str, without: Iterable[tuple[int, int]] = ()) -> frozenset[str]:
    """Return the terms of a folded text, leaving stretches out."""
    return frozenset(term for term, _ in placed(text, without))


def placed(text: str, without: Iterable[tuple[int, int]] = ()) -> Iterator[tuple[str, int]]:
    """Yield (term, place) of the text; a word for a direction is the direction, whichever word it is."""
    out = list(without)
    ways = [(start, end, way) for start, end, way in wordings.found(text) if not any(start < two and one < end for one, two in out)]
    for start, _, way in ways:
        if way != "none":
            yield f"<{way}>", start
    for start, end in gaps(len(text), [*out, *((start, end) for start, end, _ in ways)]):
        for match in _RUN.finditer(text, start, end):
            if match[0][0].isascii():
                for part in match[0].split("-"):
                    if part not in _STOP:
                        yield stem(part), match.start()
            else:
                yield from _pairs(match)


def _pairs(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    run, start = match[0], match.start()
    if len(run) == 1 and run not in _STOP_HAN:
        yield run, start
    for place in range(len(run) - 1):
        if run[place] not in _STOP_HAN and run[place + 1] not in _STOP_HAN:
            yield run[place : place + 2], start + place


def gaps(length: int, without: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a text between others."""
    at = 0
    for start, end in sorted(without):
        if start > at:
            yield at, start
        at = max(at, end)
    if at < length:
        yield at, length
