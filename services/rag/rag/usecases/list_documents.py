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
        """Return a page. Raises Unavailable (RIGHTS_CHANGED)."""
        return await self._rights.repeated(lambda: self._page(caller, after, limit))

    async def _page(self, caller: Caller, after: str, limit: int) -> Page | None:
        """Return a page; none when something on it, or the first after it, may not be told of any more."""
        standing = await self._rights.now(caller)
        found = await self._library.documents(caller.tenant, standing.access_ids, after, limit + 1)
        listed = await extents(self._library, await self._rights.now(caller), found)
        if len(listed) < len(found):
            return None
        return Page(listed[:limit], found[limit - 1].submission.document_id if len(found) > limit else "")
