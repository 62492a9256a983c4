"""What stands beside the best passages of a search, out of the ledger: every passage is confirmed as a hit is, nothing is ranked.

What is looked up depends on what was found and may be read, and on nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from meshkit.errors import NotFound

from rag import ports
from rag.domain import expand
from rag.domain.candidates import confirmed, in_force
from rag.domain.document import Chunk, Version
from rag.domain.expand import Added, Why
from rag.domain.ranking import Filter
from rag.domain.retrieval import Passage
from rag.steps.resolve import Resolve


class Expand:
    """Adds what stands beside."""

    def __init__(self, library: ports.Library, resolve: Resolve) -> None:
        self._library, self._resolve = library, resolve

    async def __call__(self, found: Sequence[Passage], most: int, where: Filter, sequence: int) -> list[Added]:
        """Return what is added for the first ``most`` passages that were found."""
        offered: list[tuple[Chunk, Version, Why]] = []
        riders: dict[str, list[tuple[Version, list[Chunk]]]] = {}
        for each in found[:most]:
            base = each.version.submission.document_id
            if base not in riders:
                riders[base] = [rider async for rider in self._endorsements(base, where, sequence)]
            offered += [(chunk, each.version, why) for chunk, why in await self._beside(each, where)]
            for version, chunks in riders[base]:
                offered += [(chunk, version, Why.ENDORSEMENT) for chunk in expand.endorsing(each.chunk, chunks)]
        return expand.joined({each.chunk.chunk_id for each in found}, offered)

    async def _beside(self, passage: Passage, where: Filter) -> list[tuple[Chunk, Why]]:
        before, after = expand.reach(passage.chunk)
        if not before:
            return []
        around = await self._library.around(where.tenant, passage.chunk, before, after)
        return expand.beside(passage.chunk, [each for each in around if confirmed(each, passage.version, where)])

    async def _endorsements(self, base: str, where: Filter, sequence: int) -> AsyncIterator[tuple[Version, list[Chunk]]]:
        """Yield the endorsements of a document that hold at the times asked for, with their passages that may be read."""
        for document_id in await self._resolve.endorsing(where, base, sequence):
            for version in await self._library.versions(where.tenant, document_id, where.access_ids):
                if not in_force(version, where):
                    continue
                try:
                    known, chunks = await self._library.indexed(version.version_id)
                except NotFound:  # withdrawn since
                    continue
                if readable := [each for each in chunks if confirmed(each, known, where)]:
                    yield known, readable
