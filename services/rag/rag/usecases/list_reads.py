"""RPC ListReads."""

from __future__ import annotations

from rag import ports
from rag.domain.conversation import Read

_DEFAULT, _MOST = 100, 1_000


async def list_reads(reports: ports.Reports, tenant: str, document_id: str, principal: str, since_us: int, limit: int) -> list[Read]:
    """Return who read what, newest first; an empty document or principal means all."""
    return await reports.list_reads(tenant, document_id, principal, since_us, min(limit or _DEFAULT, _MOST))
