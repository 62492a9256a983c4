"""RPC SetHold."""

from __future__ import annotations

from meshkit.clock import Clock

from rag import ports
from rag.domain.caller import Caller
from rag.domain.custody import Decision
from rag.domain.evidence import ChangeAct, Changed
from rag.steps.evidence import Evidence


class SetHold:
    """Sets and lifts legal holds."""

    def __init__(self, custody: ports.Custody, evidence: Evidence, clock: Clock) -> None:
        self._custody, self._evidence, self._clock = custody, evidence, clock

    async def __call__(self, caller: Caller, document_id: str, held: bool, why: str) -> None:
        """Set or lift a hold: what is held is not destroyed, but may be hidden. Raises NotFound (DOCUMENT_NOT_FOUND)."""
        now_us = int(self._clock.now_s() * 1_000_000)
        await self._custody.hold(caller.tenant, document_id, held, Decision(caller.principal, why, now_us))
        act = ChangeAct.HOLD if held else ChangeAct.LIFT_HOLD
        await self._evidence.changed(Changed(act=act, caller=caller, at_us=now_us, document_id=document_id, why=why))
