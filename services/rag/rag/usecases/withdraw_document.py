"""RPC WithdrawDocument."""

from __future__ import annotations

from dataclasses import replace

from meshkit.clock import Clock

from rag import ports
from rag.domain.caller import Caller
from rag.domain.evidence import ChangeAct, Changed
from rag.steps.evidence import Evidence


class WithdrawDocument:
    """Hides documents."""

    def __init__(self, intake: ports.Intake, evidence: Evidence, clock: Clock) -> None:
        self._intake, self._evidence, self._clock = intake, evidence, clock

    async def __call__(self, caller: Caller, document_id: str, source_version: int) -> int:
        """Hide a document from the next request on; return the sequence.

        Raises NotFound (DOCUMENT_NOT_FOUND) for one that never was. Asked again when its record could not be written, it hides nothing
        new and writes the record.
        """
        now_us = int(self._clock.now_s() * 1_000_000)
        sequence = await self._intake.withdraw(caller.tenant, document_id, source_version, now_us)
        changed = Changed(act=ChangeAct.WITHDRAW, caller=caller, at_us=now_us, document_id=document_id, source_version=source_version)
        await self._evidence.changed(replace(changed, sequence=sequence))
        return sequence
