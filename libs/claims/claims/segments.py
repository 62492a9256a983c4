"""Sentences, table rows and clauses of a folded text, as stretches."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE_END = re.compile(
    r"[。!?;]+[\"')\]]*|\n+|(?<=[a-z0-9%)\"'\]])\.(?=\s+[\"'(\[]?[a-z0-9$€£¥\u4e00-\u9fff]|\s*$)|(?<=[\u4e00-\u9fff])\.(?=\s|$|"
    r"[\u4e00-\u9fff])"
)
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[a-z]|no|inc|ltd|co|corp|mr|ms|dr|st|vs|e\.g|i\.e|u\.s|approx|art|sec|fig|etc)$")
_CLAUSE_END = re.compile(r"[,:、](?![0-9]{3})|(?:\s(?:and|but|while|whereas|or)\s)|但|而(?=[\u4e00-\u9fff]{2})|或者|并且|以及")
CLAUSE_BREAKS = _CLAUSE_END


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the sentences and table rows of a folded text; blanks around them are left out."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if match[0] == "." and _ABBREVIATION.search(text, max(start, match.start() - 8), match.start()):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the clauses inside a sentence."""
    at = start
    for match in re.compile(r"[,:;。](?![0-9]{3}(?![0-9]))|\s(?:but|while|whereas)\s|但(?!是否)").finditer(text, start, end):
        yield from _trimmed(text, at, match.start())
        at = match.start() if match[0].startswith("但") else match.end()
    yield from _trimmed(text, at, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    if left < len(part):
        yield start + left, start + len(part.rstrip())
