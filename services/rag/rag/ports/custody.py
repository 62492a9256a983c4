"""The ledger as curators see it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from rag.domain.access import Grant
from rag.domain.custody import Decision, Purge
from rag.domain.document import Version


class Custody(Protocol):
    """Grants, quarantine, holds, purges."""

    async def set_grant(self, tenant: str, principal: str, grant: Grant) -> int:
        """Grant a principal these rights and no others; they hold for the next request. Return the ledger's sequence."""
        ...

    async def decide(self, tenant: str, document_id: str, source_version: int, grade: int, decision: Decision) -> Version:
        """Release a version in quarantine at a grade that may be indexed, or refuse it with 0; return it. The same again is the same.

        Raises NotFound (DOCUMENT_NOT_FOUND), FailedPrecondition (NOT_QUARANTINED).
        """
        ...

    async def hold(self, tenant: str, document_id: str, held: bool, decision: Decision) -> None:
        """Set or lift a legal hold. Raises NotFound (DOCUMENT_NOT_FOUND)."""
        ...

    async def held(self, tenant: str, document_ids: Collection[str]) -> frozenset[str]:
        """Return which of these documents are under legal hold."""
        ...

    async def purge(self, tenant: str, document_id: str, decision: Decision) -> Purge:
        """Destroy a document's key and everything that lies here of it, or return the purge that did.

        Raises NotFound (DOCUMENT_NOT_FOUND), FailedPrecondition (LEGAL_HOLD).
        """
        ...

    async def destroyed(self, purge_id: int, blob: str) -> None:
        """Say that an original of a purge was destroyed."""
        ...

    async def scrub(self) -> bool:
        """Take what was purged so far out of the store's files; False when a reader stands in the way: ask again."""
        ...

    async def purge_of(self, purge_id: int, now_us: int) -> Purge:
        """Return how far a purge is."""
        ...

    async def unfinished(self, now_us: int) -> list[Purge]:
        """Return purges that are not finished, oldest first."""
        ...

    async def referred_to(self, blobs: Collection[str]) -> set[str]:
        """Return which of these originals belong to a version."""
        ...
