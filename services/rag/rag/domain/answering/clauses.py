"""Clauses of a document, all of a kind: what is excluded, what is covered, what words mean, what stands under a heading.

Exhaustive: every passage of the document that may be read is looked at, none is ranked. A heading decides for all that stands below it
until the
next heading of its level; a clause whose own beginning says what it is counts as well, for documents whose headings were lost. An
endorsement
(批单, 附加险) comes before the document that it changes, and a clause that it names as changed is marked as replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby

from claims import folding, references

from rag.domain import clauses
from rag.domain.answer import Citation, Warned
from rag.domain.answering import candidate, quoting
from rag.domain.retrieval import Passage


class Kind(Enum):
    """Kinds of clauses that can be asked for."""

    EXCLUSION = "exclusion"
    COVERAGE = "coverage"
    DEFINITION = "definition"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause with its number as printed and where it stands; of an endorsement, the document's id; ``replaced_by``: who changed it."""

    number: str
    text: str
    citation: Citation
    endorsement: str = ""
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """All clauses, and what a reader should know beside them."""

    clauses: Sequence[Clause]
    warnings: Sequence[Warned]


_EXCLUSION = (
    r"责任免除|除外责任|免除责任|免责|不保(?:项目|事项|财产)|不承保|不予承保|除外事项|责任除外|不承担(?:给付|赔偿|保险)?.{0,6}责任的?情形|"
    r"exclusions?\b|what is not covered|not covered|we (?:do|will) not (?:pay|cover)"
)
_COVERAGE = (
    r"保险责任|保障(?:责任|范围|内容)|承保(?:范围|责任)|保险金给付|\bbenefits?\b|what is covered|coverage|insuring (?:clause|agreement)"
)
_DEFINITION = r"释义|定义|名词解释|术语|definitions?\b|glossary|interpretation"
_HEADINGS = {Kind.EXCLUSION: re.compile(_EXCLUSION), Kind.COVERAGE: re.compile(_COVERAGE), Kind.DEFINITION: re.compile(_DEFINITION)}
_SAYS_SO = {
    Kind.EXCLUSION: re.compile(
        r"(?:本公司|我们|我司|保险人|本保险|公司)?.{0,10}(?:不承担|不负责|不予|不负).{0,20}(?:责任|给付|赔偿|赔付|保险金)|"
        r"不属于.{0,10}保险责任|"
        r"(?:insurer|company|we|policy|insurance).{0,20}(?:do(?:es)?|will|shall) not (?:pay|cover|be liable)|no (?:benefit|"
        r"cover)\w* .{0,30}payable"
    ),
    Kind.COVERAGE: re.compile(
        r"(?:我们|保险人|本公司).{0,12}(?:承担下列|按照?.{0,20}给付|负责赔偿)|承担下列.{0,6}保险责任|(?:insurer|we|company) (?:will |"
        r"shall )?pays?\b"
    ),
    Kind.DEFINITION: re.compile(r"^.{0,24}(?:是指|指的是|：指|:指|系指)|\bmeans\b"),
}
_LEADS = re.compile(r"下列|以下|如下|之一|following|any of")
_BEGINNING = 160  # characters of a clause in which it says what it is


def listed(passages: Sequence[Passage], kind: Kind, heading: str = "") -> list[Clause]:
    """Return all clauses of a kind of one document, whose passages come in its order."""
    found: list[Clause] = []
    for number, group in _clauses(passages):
        if any(_is(kind, heading, one) for one in group):
            found += [_clause(one, number) for one in group]
    return found


def every(passages: Sequence[Passage]) -> list[Clause]:
    """Return the clauses of one document whole, for a comparison: what a clause was cut into is joined, its first part is cited."""
    found: list[Clause] = []
    for number, group in _clauses(passages):
        first = _clause(group[0], number)
        found.append(first if len(group) == 1 else replace(first, text="\n".join(one.text for one in group)))
    return found


def _clauses(passages: Sequence[Passage]) -> Iterable[tuple[str, list[Passage]]]:
    """Yield (number, passages) of the clauses; what continues a clause belongs to it."""
    ordered = sorted(passages, key=lambda one: one.chunk.passage.ordinal)
    for (number, _), group in groupby(ordered, key=lambda one: (_number(one), one.chunk.passage.heading_path)):
        yield number, list(group)


def _number(one: Passage) -> str:
    return one.chunk.passage.clause or clauses.number(one.text)


def _is(kind: Kind, heading: str, one: Passage) -> bool:
    above = folding.fold("\n".join(one.chunk.passage.heading_path)).text
    if kind is Kind.HEADING:
        asked = re.sub(r"\s", "", folding.fold(heading).text)
        return bool(asked) and asked in re.sub(r"\s", "", above + "\n" + _first_line(one))
    if _HEADINGS[kind].search(above):
        return True
    if kind is not Kind.DEFINITION and re.search(_DEFINITION, above):
        return False
    beginning = folding.fold(one.text).text[:_BEGINNING]
    if _HEADINGS[kind].search(re.split(r"[。:,;\n]", beginning, maxsplit=1)[0][:40]):
        return True
    return _SAYS_SO[kind].search(beginning) is not None and (kind is Kind.DEFINITION or _LEADS.search(beginning) is not None)


def _first_line(one: Passage) -> str:
    return folding.fold(one.text.split("\n", 1)[0][:60]).text


def _clause(one: Passage, number: str) -> Clause:
    ready = candidate.of(one)
    return Clause(number, one.text, quoting.cite(ready, 0, len(one.text)))


_CHANGES = re.compile(r"(?:修改|变更|替换|取代|删除|废止|代替|更改|调整|删去|delet|replac|amend|substitut|supersed)")
_NAMES = re.compile(
    r"(第[0-9零一二三四五六七八九十百]{1,7}条(?:第[0-9零一二三四五六七八九十]{1,4}[款项])?|"
    r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){1,3}(?![0-9%])|"
    r"(?:article|section|clause)\s[0-9]{1,3}(?:\.[0-9]{1,3}){0,3})"
)


def endorsed(base: Sequence[Clause], endorsements: Sequence[tuple[str, Sequence[Passage]]], own: Sequence[Clause]) -> list[Clause]:
    """Return the clauses of endorsements (``own``, already marked by document), then those of the document, the changed ones marked.

    ``endorsements``: documents with all their passages, in the order of their validity; the later one wins.
    """
    changed: dict[str, str] = {}
    for document, passages in endorsements:
        for one in passages:
            for number in replaced(one.text):
                changed[number] = document
    marked = [replace(one, replaced_by=changed.get(canonical(one.number), "")) if one.number else one for one in base]
    return [*own, *marked]


def replaced(text: str) -> list[str]:
    """Return the numbers of the clauses that a text of an endorsement says it changes."""
    folded = folding.fold(text).text
    found: list[str] = []
    for sentence in re.split(r"[。;\n]|\.\s", folded):
        if _CHANGES.search(sentence):
            named = list(_NAMES.finditer(sentence))
            if len(named) > 1 and not sentence[: named[0].start()].strip():
                named = named[1:]  # the number of the endorsement's own clause
            found += [canonical(match[1]) for match in named]
    return list(dict.fromkeys(found))


def canonical(number: str) -> str:
    """Return a clause's number in one way: 第十二条, Article 12 and 12 are the same."""
    folded = folding.fold(number).text.strip()
    key = next((one.key for one in references.find(folded) if one.mark is references.Mark.CLAUSE), "")
    return key or re.sub(r"[^0-9.]", "", folded) or folded
