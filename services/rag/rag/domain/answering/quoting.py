"""Quotes: which sentences of a passage answer, each with its citation. What is quoted is the stored text, code point for code point."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from claims.evidence import Piece
from claims.facts import Fact

from rag.domain.answer import Citation, Sentence
from rag.domain.answering import support
from rag.domain.answering.candidate import Candidate
from rag.domain.answering.question import Expects, Question
from rag.domain.answering.scoring import Scored

_MOST = 3
_MOST_OF_A_LIST = 40
_LIST_LEAD = re.compile(r"[:：]\s*$|下列|以下|如下|following")
_ENDS = re.compile(r"[。.；;!?！？][”\"」』）)]*\s*$")
_ITEM = re.compile(r"^\s*(?:[(（]?[0-9一二三四五六七八九十a-z]{1,3}[)）.、]|[-•·*])")


def cite(candidate: Candidate, start: int, end: int, cell: str = "") -> Citation:
    """Return the citation of a stretch of a passage."""
    passage = candidate.passage
    return Citation(
        passage=passage.id,
        start=start,
        end=end,
        text_sha256=sha256(passage.text.encode()).digest(),
        page=passage.chunk.passage.page,
        cell=cell,
        superseded=passage.superseded,
    )


def quote(candidate: Candidate, piece: Piece, cell: str = "") -> Sentence:
    """Quote a sentence or a row as it is stored; a row says below which header it stands."""
    start, end = candidate.prepared.folded.source(piece.start, piece.end)
    text = candidate.passage.text[start:end]
    return Sentence(text, (cite(candidate, start, end, cell),))


def sentences(question: Question, scored: Scored, weighed: Mapping[str, float], keep: float) -> tuple[Sentence, ...]:
    """Return the sentences that answer, in the order of the text."""
    candidate, units = scored.candidate, scored.candidate.units
    if scored.best < 0:
        return ()
    best = units[scored.best].piece
    if best.is_row:
        return (_row(question, candidate, scored.best, weighed),)
    if question.is_list and question.expects in (Expects.LIST, Expects.TEXT):
        return tuple(quote(candidate, units[place].piece) for place in _list(scored))
    floor = max(scored.units[scored.best] * keep, 1e-9)
    chosen = {scored.best}
    for place in sorted(range(len(units)), key=lambda place: -scored.units[place]):
        if len(chosen) < _MOST and scored.units[place] >= floor and not units[place].piece.is_row and abs(place - scored.best) <= 2:
            chosen.add(place)
    chosen |= {lead for place in chosen if (lead := _lead(scored, place)) is not None}
    return tuple(quote(candidate, units[place].piece) for place in sorted(chosen))


def _lead(scored: Scored, place: int) -> int | None:
    """Return the sentence that leads to an item: without it nobody knows whether what is listed is covered or excluded."""
    units = scored.candidate.units
    if not _ITEM.match(units[place].piece.text):
        return None
    return next((before for before in range(place - 1, -1, -1) if _LIST_LEAD.search(units[before].piece.text)), None)


def _list(scored: Scored) -> list[int]:
    """Return the best sentence and the items that belong to it: those that follow it, or all of the list that it stands in."""
    units = scored.candidate.units
    start = _below_heading(scored)
    while start > 0 and _ITEM.match(units[start].piece.text) and not _LIST_LEAD.search(units[start].piece.text):
        start -= 1
    end = start + 1
    leads = _LIST_LEAD.search(units[start].piece.text) is not None
    while end < len(units) and end - start < _MOST_OF_A_LIST and (leads or _ITEM.match(units[end].piece.text)):
        end += 1
    return list(range(min(start, scored.best), max(end, scored.best + 1)))


def _below_heading(scored: Scored) -> int:
    """Return where the list begins that the best sentence is the heading of, else its own place: a heading alone lists nothing."""
    units, best = scored.candidate.units, scored.best
    if best + 1 >= len(units) or _ENDS.search(units[best].piece.text) or _begins_list(units[best].piece.text):
        return best
    return best + 1 if _begins_list(units[best + 1].piece.text) else best


def _begins_list(text: str) -> bool:
    return _LIST_LEAD.search(text) is not None or _ITEM.match(text) is not None


def _row(question: Question, candidate: Candidate, place: int, weighed: Mapping[str, float]) -> Sentence:
    piece = candidate.units[place].piece
    fact = best_fact(question, piece, weighed)
    return quote(candidate, piece, "" if fact is None else f"{fact.row} / {fact.column}".strip(" /"))


def best_fact(question: Question, piece: Piece, weighed: Mapping[str, float]) -> Fact | None:
    """Return the number of a sentence or row that is asked for: of the right kind and period, under the label most alike."""
    kinds = question.kinds
    fitting = [fact for fact in piece.facts if not kinds or fact.value.kind in kinds]
    if question.periods:
        dated = [fact for fact in fitting if fact.period and any(support.covers(asked, fact.period) for asked in question.periods)]
        fitting = dated or ([] if piece.is_row else fitting)
    return max(
        fitting,
        key=lambda fact: sum(weight for term, weight in weighed.items() if question.stems.get(term, term) in fact.label),
        default=None,
    )
