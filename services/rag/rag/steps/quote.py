"""The extractive answerer with the word statistics of what its asker may read, and of nothing else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from rag import ports
from rag.domain.answer import Answered
from rag.domain.answering import answer
from rag.domain.document import AsOf
from rag.domain.ranking import Filter, TermStatistics
from rag.domain.retrieval import Passage
from rag.domain.terms import query_terms
from rag.steps.rights import Standing


class Quote:
    """Quotes sentences."""

    def __init__(self, lexical: ports.Lexical) -> None:
        self._lexical = lexical

    async def __call__(self, question: str, passages: Sequence[Passage], standing: Standing, as_of: AsOf) -> Answered:
        """Return the sentences of passages that answer a question; none when they say nothing. Raises Unavailable."""
        where = Filter(standing.reader.tenant, standing.access_ids, as_of)
        known = await self._lexical.statistics(query_terms(question).keys(), where)
        found = await asyncio.to_thread(answer, question, passages, lambda term: _idf(term, known))
        return Answered(found.sentences, found.warnings)


def _idf(term: str, known: TermStatistics) -> float:
    """Return the inverse document frequency of BM25 (Robertson, Spärck Jones); a term that was not asked for is in no passage."""
    frequency = known.frequency.get(term, 0)
    return math.log1p((known.documents - frequency + 0.5) / (frequency + 0.5))
