"""Event DocumentWithdrawn: a bank withdraws a document."""

from __future__ import annotations

from rag.domain.caller import Caller
from rag.usecases.withdraw_document import WithdrawDocument


class OnDocumentWithdrawn:
    """Hides documents that events withdraw."""

    def __init__(self, withdraw: WithdrawDocument) -> None:
        self._withdraw = withdraw

    async def __call__(self, tenant: str, withdrawn_by: str, document_id: str, source_version: int) -> int:
        """Hide a document; return the sequence. Raises NotFound (DOCUMENT_NOT_FOUND) for one that never was."""
        return await self._withdraw(Caller(tenant, withdrawn_by), document_id, source_version)
