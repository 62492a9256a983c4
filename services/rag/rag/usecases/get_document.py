"""RPC GetDocument: the versions of a document of which a caller may read something. Forbidden and absent look the same."""

from __future__ import annotations

from collections.abc import Sequence

from meshkit.errors import NotFound

from rag import ports
from rag.domain.caller import Caller
from rag.steps.extents import Listed, extents
from rag.steps.rights import Rights


class GetDocument:
    """Shows a document's versions."""

    def __init__(self, library: ports.Library, rights: Rights) -> None:
        self._library, self._rights = library, rights

    async def __call__(self, caller: Caller, document_id: str) -> Sequence[Listed]:
        """Return one entry a version, newest first. Raises NotFound (DOCUMENT_NOT_FOUND)."""
        standing = await self._rights.now(caller)
        found = await self._library.versions(caller.tenant, document_id, standing.access_ids)
        newest = {version.submission.source_version: version for version in reversed(found)}
        ordered = sorted(newest.values(), key=lambda version: -version.submission.source_version)
        listed = await extents(self._library, await self._rights.now(caller), ordered)
        if not listed:
            raise NotFound("there is no such document", reason="DOCUMENT_NOT_FOUND")
        return listed
