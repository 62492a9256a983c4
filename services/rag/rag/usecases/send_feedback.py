"""RPC SendFeedback: kept for those who improve answers; nothing changes by it."""

from __future__ import annotations

from meshkit.clock import Clock
from pii import mask

from rag import ports
from rag.domain.caller import Caller


async def send_feedback(reports: ports.Reports, caller: Caller, clock: Clock, audit_record_id: str, verdict: str, comment: str) -> None:
    """Keep a verdict; identifiers in the comment are masked before."""
    now_us = int(clock.now_s() * 1_000_000)
    await reports.feedback(caller.tenant, caller.principal, audit_record_id, verdict, mask(comment), now_us)
