"""RPC Purge."""

from __future__ import annotations

from meshkit.clock import Clock

from rag import ports
from rag.domain.caller import Caller
from rag.domain.custody import Decision
from rag.domain.custody import Purge as Under
from rag.domain.evidence import ChangeAct, Changed
from rag.steps.evidence import Evidence
from rag.steps.purging import Purging


class Purge:
    """Destroys documents."""

    def __init__(self, custody: ports.Custody, purging: Purging, evidence: Evidence, clock: Clock) -> None:
        self._custody, self._purging, self._evidence, self._clock = custody, purging, evidence, clock

    async def __call__(self, caller: Caller, document_id: str, why: str) -> Under:
        """Destroy a document, or go on with it: asked again until it is finished. It is hidden when this returns the first time.

        Raises NotFound (DOCUMENT_NOT_FOUND), FailedPrecondition (LEGAL_HOLD).
        """
        now_us = int(self._clock.now_s() * 1_000_000)
        purge = await self._custody.purge(caller.tenant, document_id, Decision(caller.principal, why, now_us))
        changed = Changed(act=ChangeAct.PURGE, caller=caller, at_us=now_us, document_id=document_id, sequence=purge.sequence, why=why)
        await self._evidence.changed(changed)
        return await self._purging.further(purge)
