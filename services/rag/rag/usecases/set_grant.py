"""RPC SetGrant."""

from __future__ import annotations

from meshkit.clock import Clock
from meshkit.errors import InvalidArgument

from rag import ports
from rag.domain.access import Grant
from rag.domain.caller import Caller
from rag.domain.evidence import ChangeAct, Changed
from rag.steps.evidence import Evidence

_HIGHEST_CLEARANCE = 4
_MAX_PRINCIPAL = 200


class SetGrant:
    """Grants rights."""

    def __init__(self, custody: ports.Custody, evidence: Evidence, clock: Clock) -> None:
        self._custody, self._evidence, self._clock = custody, evidence, clock

    async def __call__(self, caller: Caller, principal: str, grant: Grant) -> int:
        """Grant a principal these rights and no others, from the next request on; return the ledger's sequence."""
        if not 1 <= len(principal) <= _MAX_PRINCIPAL or not principal.isprintable():
            raise InvalidArgument("a principal has 1 to 200 printable characters", reason="GRANT_INVALID", metadata={"field": "principal"})
        if not 1 <= grant.clearance <= _HIGHEST_CLEARANCE:
            raise InvalidArgument("clearance goes from L1 to L4", reason="GRANT_INVALID", metadata={"field": "clearance"})
        sequence = await self._custody.set_grant(caller.tenant, principal, grant)
        await self._evidence.changed(
            Changed(
                act=ChangeAct.GRANT,
                caller=caller,
                at_us=int(self._clock.now_s() * 1_000_000),
                sequence=sequence,
                grade=grant.clearance,
                whom=principal,
                groups=sorted(grant.groups),
                barriers=sorted(grant.barriers),
            )
        )
        return sequence
