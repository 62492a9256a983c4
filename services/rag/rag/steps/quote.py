"""The extractive answerer with the word statistics of what its asker may read, and of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rag import ports
from rag.domain import answering
from rag.domain.answer import Answered
from rag.domain.document import AsOf
from rag.domain.ranking import Filter
from rag.domain.retrieval import Passage
from rag.steps.rights import Standing


class Quote:
    """Quotes sentences."""

    def __init__(self, lexical: ports.Lexical) -> None:
        self._lexical = lexical

    async def __call__(self, question: str, passages: Sequence[Passage], standing: Standing, as_of: AsOf) -> Answered:
        """Return the sentences of passages that answer a question; none when they say nothing. Raises Unavailable."""
        where = Filter(standing.reader.tenant, standing.access_ids, as_of)
        words = await asyncio.to_thread(answering.needed, question, passages)
        counted = await self._lexical.statistics(words, where)
        return await asyncio.to_thread(answering.answer, question, passages, answering.idf(counted))
