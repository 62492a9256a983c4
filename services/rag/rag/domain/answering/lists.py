"""Lists: all items below what leads to them, on into the passages that follow, and what is excluded, by whatever name it is asked for.

Headings of exclusions rarely have a word of a question like 哪些情形不赔: there it is the kind of clause that answers, not its words. A
list is quoted as far as passages were found; where it may go on, a warning says who lists all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from claims.evidence import Piece

from rag.domain import clauses as numbers
from rag.domain.answer import LIST_INCOMPLETE, Answered, Sentence, Warned
from rag.domain.answering import clauses, quoting
from rag.domain.answering.candidate import Candidate, folded
from rag.domain.answering.question import Question, analyse
from rag.domain.answering.scoring import Scored

MOST = 40
"""Sentences of one list."""
_LEAD = re.compile(r"[:：]\s*$|下列|以下|如下|following")
_ENDS = re.compile(r"[。.；;!?！？][”\"」』）)]*\s*$")
_ITEM = re.compile(r"^\s*(?:[(（]?[0-9一二三四五六七八九十a-z]{1,3}[)）.、]|[-•·*])")
_NUMBER_ALONE = re.compile(r"\s*[(（]?[0-9一二三四五六七八九十a-z]{1,3}[)）.、]\s*")
_LONGEST_TITLE = 40
_WORDS = ("The list may go on; ListClauses lists every clause of the document.", "清单可能未列完，完整清单请用 ListClauses 查询该文件。")

_NOT_PAID = r"不予?[赔保]付?|不予?承保|拒赔|免赔(?![额率])|免责|责任免除|除外责任|除外事项|免除责任|不承担|不负责"
_WHICH = r"哪些|哪几|什么|何种|列出|列举|列一下|所有|全部|清单"
_ASKS_EXCLUSIONS = re.compile(
    rf"(?:{_WHICH}).{{0,16}}(?:{_NOT_PAID})|(?:{_NOT_PAID}).{{0,8}}(?:{_WHICH})|"
    r"\b(?:what|which)\b.{0,40}(?:\bnot (?:covered|insured|paid)|\bnot (?:cover|pay|insure)\b|n't (?:covered|cover|pay)|\bexclu)|"
    r"\b(?:list|name|show|give|all)\b.{0,30}\bexclusions?\b"
)
_ANYWAY = re.compile(
    rf"{_NOT_PAID}|{_WHICH}|请问?|一下|情形|情况|事故|原因|时候|下|的|会|是|有|都|公司|保险人?|产品|合同|条款|本|该|这|我们?|你们|"
    r"责任|赔偿?|保障|内容|事项|给|出|"
    r"\b(?:what|which|are|is|isn't|the|of|in|by|under|this|that|my|our|does|do|did|not|covered|cover|pay|paid|for|insured|list|name|show|"
    r"give|me|all|every|each|exclusions?|excluded?s?|policy|insurance|contract|plan|product|insurer|company|you|we|it|there|events?|"
    r"things|losses|cases|circumstances|please|and)\b|[\W_]"
)


def asks_exclusions(question: Question) -> bool:
    """Whether a question asks for what is excluded."""
    return _ASKS_EXCLUSIONS.search(question.folded) is not None


def is_of_exclusions(question: Question, titles: Sequence[str]) -> bool:
    """Whether a question asks for all that is excluded of whatever it names, and for nothing in particular."""
    named: Sequence[str] = (*question.names, *question.products)
    left = question.folded
    if question.is_chinese:
        named, left = (*map(folded, named), *titles), folded(question.text)
    for name in sorted(filter(None, named), key=len, reverse=True):
        left = left.replace(name, " ")
    return asks_exclusions(question) and len(_ANYWAY.sub("", left)) < 2


def lists_something(text: str) -> bool:
    """Whether a question asks for a list, which may go on beside the passages that are found."""
    question = analyse(text)
    return question.is_list or asks_exclusions(question)


def searched(text: str) -> str:
    """Return what passages are looked for with: to a question for exclusions the words are added that their clauses use."""
    question = analyse(text)
    if not asks_exclusions(question):
        return text
    added = "责任免除 除外责任 不承担责任" if question.is_chinese else "exclusions not covered we do not pay"
    return f"{text} {added}"


def exclusions(question: Question, fitting: Sequence[Candidate], beside: Sequence[Candidate]) -> Answered | None:
    """Return the exclusions of the document of the best passage that has some; ``beside``: what stands beside what was found."""
    best = next((one for one in fitting if clauses.listed([one.passage], clauses.Kind.EXCLUSION)), None)
    if best is None:
        return None
    own = {one.passage.id: one for one in (*fitting, *beside) if _of_one(one, best)}
    listed = [own[each.citation.passage] for each in clauses.listed([one.passage for one in own.values()], clauses.Kind.EXCLUSION)]
    found = [quoting.quote(one, unit.piece) for one in listed for unit in one.units]
    return Answered(tuple(found[:MOST]), (_incomplete(question, listed[-1]),))


def listed(question: Question, scored: Scored, beside: Sequence[Candidate]) -> tuple[tuple[Sentence, ...], tuple[Warned, ...]]:
    """Return the list of the best sentence, on into the passages that follow; with a warning where it was cut."""
    candidate, places = scored.candidate, _places(scored)
    found = [quoting.quote(candidate, candidate.units[place].piece) for place in places]
    last = candidate
    if places[-1] == len(candidate.units) - 1 and any(begins(candidate.units[place].piece) for place in places):
        for last, piece in _going_on(candidate, beside):
            found.append(quoting.quote(last, piece))
    return tuple(found[:MOST]), (_incomplete(question, last),) if len(found) > MOST else ()


def _going_on(candidate: Candidate, beside: Sequence[Candidate]) -> Iterator[tuple[Candidate, Piece]]:
    """Yield the items at the beginning of the passages that follow without a gap, until something else stands there."""
    following = {one.passage.chunk.passage.ordinal: one for one in beside if _of_one(one, candidate)}
    ordinal = candidate.passage.chunk.passage.ordinal + 1
    while (one := following.get(ordinal)) is not None and one.evidence.headings == candidate.evidence.headings:
        for place, unit in enumerate(one.units):
            if not _is_item(one, place):
                return
            yield one, unit.piece
        ordinal += 1


def _of_one(one: Candidate, other: Candidate) -> bool:
    """Whether both are passages of one wording of one document."""
    a, b = one.passage, other.passage
    return (a.id.document_id, a.chunk.version_id) == (b.id.document_id, b.chunk.version_id)


def _is_item(candidate: Candidate, place: int) -> bool:
    """Whether an item begins here, or goes on after its number, which may stand as a sentence of its own: 1. 材料."""
    text, before = candidate.units[place].piece.text, candidate.units[place - 1].piece.text if place else ""
    return _ITEM.match(text) is not None or _NUMBER_ALONE.fullmatch(before) is not None


def _incomplete(question: Question, last: Candidate) -> Warned:
    return Warned(LIST_INCOMPLETE, _WORDS[question.is_chinese], (last.passage.id,))


def _places(scored: Scored) -> list[int]:
    """Return the best sentence and the items that belong to it: those that follow it, or all of the list that it stands in."""
    units = scored.candidate.units
    start = _below_title(scored)
    while start > 0 and _ITEM.match(units[start].piece.text) and not _LEAD.search(units[start].piece.text):
        start -= 1
    end = start + 1
    leads = _LEAD.search(units[start].piece.text) is not None
    while end < len(units) and (leads or _is_item(scored.candidate, end)):
        end += 1
    return list(range(min(start, scored.best), max(end, scored.best + 1)))


def _below_title(scored: Scored) -> int:
    """Return where the list begins that the best sentence is the title of, else its own place: a title alone lists nothing."""
    units, best = scored.candidate.units, scored.best
    if best + 1 >= len(units) or _ENDS.search(units[best].piece.text) or begins(units[best].piece):
        return best
    return best + 1 if begins(units[best + 1].piece) else best


def begins(piece: Piece) -> bool:
    """Whether a list begins or goes on here."""
    return _LEAD.search(piece.text) is not None or _ITEM.match(piece.text) is not None


def lead(scored: Scored, place: int) -> int | None:
    """Return the sentence that leads to an item: without it nobody knows whether what is listed is covered or excluded."""
    units = scored.candidate.units
    if not _ITEM.match(units[place].piece.text):
        return None
    return next((before for before in range(place - 1, -1, -1) if _LEAD.search(units[before].piece.text)), None)


def is_title(candidate: Candidate, place: int) -> bool:
    """Whether a line is what a clause is called, and says nothing itself: 第六条 等待期 above 等待期为90日。"""
    text = candidate.units[place].piece.text.strip()
    if place + 1 >= len(candidate.units) or len(text) > _LONGEST_TITLE or _ENDS.search(text) or _LEAD.search(text):
        return False
    return bool(numbers.number(text)) or any(folded(text) == folded(above) for above in candidate.evidence.headings)
