"""RPC ListDocuments: the documents of which a caller may read something, by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag import ports
from rag.domain.caller import Caller
from rag.steps.extents import Listed, extents
from rag.steps.rights import Rights


@dataclass(frozen=True, slots=True)
class Page:
    """Newest versions; ``next_after``: where the next page begins, empty at the end."""

    versions: Sequence[Listed]
    next_after: str = ""


class ListDocuments:
    """Lists documents."""

    def __init__(self, library: ports.Library, rights: Rights) -> None:
        self._library, self._rights = library, rights

    async def __call__(self, caller: Caller, after: str, limit: int) -> Page:
        """Return a page."""
        standing = await self._rights.now(caller)
        found = await self._library.documents(caller.tenant, standing.access_ids, after, limit + 1)
        more = len(found) > limit
        return Page(await extents(self._library, standing, found[:limit]), found[limit - 1].submission.document_id if more else "")
