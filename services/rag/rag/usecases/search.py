"""RPC Search: passages for a question, best first, recorded before they are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from rag.domain.evidence import Act, Looked, Told
from rag.domain.retrieval import Found, Passage, Query
from rag.domain.searching import Searched
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights, Standing


class Search:
    """Finds passages."""

    def __init__(
        self,
        *,
        rights: Rights,
        retrieve: Callable[[Query], Awaitable[Found]],
        reached: Callable[[int], Awaitable[None]],
        evidence: Evidence,
    ) -> None:
        """``reached``: waits until a sequence can be searched."""
        self._rights, self._retrieve, self._reached, self._evidence = rights, retrieve, reached, evidence

    async def __call__(self, asked: Searched) -> tuple[Found, Standing]:
        """Return what may be shown, and under which rights. Raises Unavailable."""
        await self._reached(asked.min_sequence)
        return await self._rights.held(asked.caller, lambda: self._looked(asked))

    async def _looked(self, asked: Searched) -> tuple[tuple[Found, Standing], Sequence[Passage]]:
        standing = await self._rights.now(asked.caller)
        query = Query(
            reader=standing.reader,
            question=asked.question,
            as_of=asked.as_of(standing.now_us),
            now_us=standing.now_us,
            scope=asked.scope,
            limit=asked.limit,
            pipeline=asked.pipeline,
            explain=asked.explain,
            collapse_records=asked.collapse_records,
            expand=asked.expand,
        )
        found = await self._retrieve(query)
        await self._evidence.looked(_look(asked, query, standing, found), (*asked.scope.documents, *asked.scope.products))
        return (found, standing), found.passages


def _look(asked: Searched, query: Query, standing: Standing, found: Found) -> Looked:
    return Looked(
        act=Act.SEARCH,
        caller=asked.caller,
        reader=standing.reader,
        access_ids=standing.access_ids,
        sequence=found.sequence,
        at_us=standing.now_us,
        scenario=asked.scenario,
        grade=asked.grade,
        valid_at_us=asked.valid_at_us or 0,
        known_at_seq=query.as_of.known_at_seq,
        question=asked.question,
        scope=asked.scope,
        passages=[Told(each.id, each.text, standing.grade(each)) for each in found.passages],
        degradations=found.degradations,
    )
