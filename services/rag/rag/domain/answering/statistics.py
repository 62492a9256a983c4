"""Which terms an answer weighs, to be counted once over what the asker may read, and the weights that follow from the counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from rag.domain import terms
from rag.domain.answering import candidate
from rag.domain.answering.question import analyse
from rag.domain.answering.scoring import Idf
from rag.domain.ranking import TermStatistics
from rag.domain.retrieval import Passage


def needed(question: str, passages: Sequence[Passage]) -> frozenset[str]:
    """Return every term whose weight ``answer`` may ask for: of the question, of its names, of the titles of the passages."""
    asked = analyse(question)
    found = set(asked.terms) | set(terms.terms(asked.folded))
    for name in (*asked.names, *asked.products):
        found.update(terms.terms(name))
    for one in candidate.all_of(passages):
        found |= one.title
    return frozenset(found)


def idf(counted: TermStatistics) -> Idf:
    """Return the weight of a term as BM25 has it, over the readable set alone."""

    def weight(term: str) -> float:
        there = counted.frequency.get(term, 0)
        return log(1 + (counted.documents - there + 0.5) / (there + 0.5))

    return weight
