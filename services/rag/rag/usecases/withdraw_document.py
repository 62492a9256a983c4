"""RPC WithdrawDocument."""

from __future__ import annotations

from meshkit.clock import Clock

from rag import ports


class WithdrawDocument:
    """Hides documents."""

    def __init__(self, intake: ports.Intake, clock: Clock) -> None:
        self._intake, self._clock = intake, clock

    async def __call__(self, tenant: str, document_id: str, source_version: int) -> int:
        """Hide a document from the next request on; return the sequence. Raises NotFound (DOCUMENT_NOT_FOUND) for one that never was."""
        return await self._intake.withdraw(tenant, document_id, source_version, int(self._clock.now_s() * 1_000_000))
