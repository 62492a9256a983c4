"""The one door to passages: rights, filters, both legs, fusion, scope, a second look, and every hit checked against the ledger.

Nothing is shown that the ledger does not confirm for this reader, this moment and these times, whatever an index says. The dense leg is
bounded in time: without it the lexical leg stands alone, and `degradations` says so. Scores stay inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from meshkit.errors import Unavailable
from numpy.typing import NDArray

from rag import ports
from rag.domain import fusion
from rag.domain.candidates import Candidate, boosted, collapsed, confirmed, moves
from rag.domain.document import AsOf
from rag.domain.fusion import Ranked
from rag.domain.ranking import Explained, Filter, Hit
from rag.domain.retrieval import Found, Passage, Pipeline, Query, Scope, passage_of
from rag.domain.scope import Named
from rag.domain.terms import query_terms
from rag.steps.expand import Expand
from rag.steps.resolve import Resolve

_NAMED_AT_MOST = 64
_SECOND_LOOK = 50


@dataclass(frozen=True, slots=True)
class Legs:
    """The indexes behind the door, and what it does with them. Without vectors or encoder the lexical leg stands alone."""

    lexical: ports.Lexical
    vectors: ports.Vectors | None = None
    encoder: ports.Encoder | None = None
    encoder_s: float = 1.0
    vectors_s: float = 1.0
    candidates: int = 100


class Retrieve:
    """Finds passages for a question."""

    def __init__(
        self, library: ports.Library, legs: Legs, resolve: Resolve, tunings: ports.Tunings, reranker: ports.Reranker | None = None
    ) -> None:
        self._library, self._legs, self._resolve, self._tunings, self._reranker = library, legs, resolve, tunings, reranker
        self._expand = Expand(library, resolve)

    async def __call__(self, query: Query) -> Found:
        """Return what may be shown, best first. Raises Unavailable when ledger or lexical index are away."""
        sequence = await self._library.sequence()
        readable = await self._library.readable(query.reader, query.now_us)
        known_at = AsOf(query.as_of.valid_at_us, min(query.as_of.known_at_seq, sequence))
        where = Filter(query.reader.tenant, frozenset(readable), known_at)
        if query.scope:
            where = replace(where, versions=await self._resolve.narrowed(where, query.scope, sequence))
        if not readable or where.versions == frozenset():
            return Found((), sequence)
        named = Named()
        if query.pipeline is Pipeline.FUSED and not query.scope:
            named = await self._resolve.named(where, query.question, sequence)
        lexical, dense, degradations = await self._search(query, where, named)
        weight = (await self._tunings.current(where.tenant)).weight(
            query.question, self._legs.encoder.identity if self._legs.encoder else ""
        )
        shown = await self._shown(fusion.fuse(lexical, dense, weight), query, where, named)
        resolved = Scope(documents=named.names) if named.exact else Scope()
        passages = [_passage(each, query, named) for each in shown[: query.limit]]
        return Found((*passages, *await self._beside(passages, query, where, sequence)), sequence, resolved, degradations)

    async def _beside(self, found: Sequence[Passage], query: Query, where: Filter, sequence: int) -> list[Passage]:
        """Return what stands beside the best of what was found."""
        if not query.expand:
            return []
        added = await self._expand(found, query.expand, where, sequence)
        return [
            passage_of(
                each.chunk,
                each.version,
                query.now_us,
                Explained(0, 0, expanded=each.why) if query.explain else None,
                added=True,
                valid_at_us=query.as_of.valid_at_us,
            )
            for each in added
        ]

    async def _shown(self, ranked: Sequence[Ranked], query: Query, where: Filter, named: Named) -> list[Candidate]:
        """Return what the ledger confirms, in its last order, as much as is asked for at least: what nothing can lift is not looked at."""
        if query.pipeline in (Pipeline.FUSED, Pipeline.UNSCOPED) and (self._reranker or moves(query.question, named)):
            lifted = boosted(query.question, await self._checked(ranked, where), named)
            return _each_once(await self._second_look(query.question, lifted), query)
        checked: list[Candidate] = []
        step = max(2 * query.limit, 1)
        for begin in range(0, len(ranked), step):
            checked += await self._checked(ranked[begin : begin + step], where)
            if len(_each_once(checked, query)) >= query.limit:
                break
        return _each_once(checked, query)

    async def _search(self, query: Query, where: Filter, named: Named) -> tuple[list[Hit], list[Hit], tuple[str, ...]]:
        """Ask both legs at once; a second time within the versions that are named exactly, whose passages the first may not reach."""
        limit = max(self._legs.candidates, 2 * query.limit)
        inside = replace(where, versions=named.exact) if 0 < len(named.exact) <= _NAMED_AT_MOST else None
        filters = [where] if inside is None else [where, inside]
        (near, reason), worded = await asyncio.gather(
            self._dense("" if query.pipeline is Pipeline.LEXICAL else query.question, filters, limit),
            self._lexical({} if query.pipeline is Pipeline.DENSE else query_terms(query.question), filters, limit),
        )
        return worded, near, (reason,) if reason else ()

    async def _lexical(self, terms: Mapping[str, float], filters: Sequence[Filter], limit: int) -> list[Hit]:
        if not terms:
            return []
        return fusion.union(*await asyncio.gather(*(self._legs.lexical.search(terms, each, limit) for each in filters)))

    async def _dense(self, question: str, filters: Sequence[Filter], limit: int) -> tuple[list[Hit], str]:
        """Return what the dense leg finds, and why it finds nothing where it is away."""
        vector, reason = await self._encoded(question) if question else (None, "")
        if vector is None:
            return [], reason
        found = await asyncio.gather(*(self._nearest(vector, each, limit) for each in filters))
        near = [hits for hits in found if hits is not None]
        return (fusion.union(*near), "") if len(near) == len(found) else ([], "VECTORS_UNAVAILABLE")

    async def _encoded(self, question: str) -> tuple[NDArray[np.float32] | None, str]:
        if self._legs.encoder is None or self._legs.vectors is None:
            return None, ""
        try:
            async with asyncio.timeout(self._legs.encoder_s):
                return (await self._legs.encoder.encode([question], ports.Kind.QUERY))[0], ""
        except (TimeoutError, Unavailable):
            return None, "ENCODER_UNAVAILABLE"

    async def _nearest(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit] | None:
        assert self._legs.vectors is not None
        try:
            async with asyncio.timeout(self._legs.vectors_s):
                return await self._legs.vectors.search(vector, where, limit)
        except (TimeoutError, Unavailable):
            return None

    async def _checked(self, ranked: Sequence[Ranked], where: Filter) -> list[Candidate]:
        """Return what the ledger confirms: this tenant, a readable access id, the times asked for, the versions asked for."""
        known = await self._library.chunks(where.tenant, [each.chunk_id for each in ranked])
        return [
            Candidate(each, *known[each.chunk_id]) for each in ranked if each.chunk_id in known and confirmed(*known[each.chunk_id], where)
        ]

    async def _second_look(self, question: str, found: list[Candidate]) -> list[Candidate]:
        if self._reranker is None or not found:
            return found
        first, rest = found[:_SECOND_LOOK], found[_SECOND_LOOK:]
        order = await self._reranker.rerank(question, [each.chunk.passage.text for each in first])
        return [first[place] for place in order] + rest


def _each_once(found: list[Candidate], query: Query) -> list[Candidate]:
    return collapsed(found) if query.collapse_records else found


def _passage(candidate: Candidate, query: Query, named: Named) -> Passage:
    explained = None
    if query.explain:
        scope = named.names if candidate.version.version_id in named.strength else ()
        explained = Explained(candidate.ranked.lexical_rank, candidate.ranked.dense_rank, scope)
    return passage_of(candidate.chunk, candidate.version, query.now_us, explained, valid_at_us=query.as_of.valid_at_us)
