"""Which documents are under legal hold, and who is told: curators alone, for a hold says that something is going on."""

from __future__ import annotations

from collections.abc import Collection

from rag import ports
from rag.domain.caller import CURATING, Caller


class Holds:
    """Asks the ledger."""

    def __init__(self, custody: ports.Custody) -> None:
        self._custody = custody

    async def told(self, caller: Caller, document_ids: Collection[str]) -> frozenset[str]:
        """Return which of these documents are held, as far as a caller is told: those who come to curate are."""
        if caller.purpose != CURATING:
            return frozenset()
        return await self._custody.held(caller.tenant, document_ids)
