"""RPC ListUnanswered."""

from __future__ import annotations

from rag import ports
from rag.domain.conversation import Unanswered

_DEFAULT, _MOST = 100, 1_000


async def list_unanswered(reports: ports.Reports, tenant: str, since_us: int, limit: int) -> list[Unanswered]:
    """Return questions without an answer, newest first, identifiers masked."""
    return await reports.list_unanswered(tenant, since_us, min(limit or _DEFAULT, _MOST))
