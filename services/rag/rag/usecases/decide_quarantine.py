"""RPC DecideQuarantine."""

from __future__ import annotations

from meshkit.clock import Clock
from meshkit.errors import InvalidArgument

from rag import ports
from rag.domain.access import HIGHEST_INDEXED
from rag.domain.caller import Caller
from rag.domain.custody import Decision
from rag.domain.document import Version
from rag.domain.evidence import ChangeAct, Changed
from rag.steps.evidence import Evidence


class DecideQuarantine:
    """Decides about versions in quarantine."""

    def __init__(self, custody: ports.Custody, evidence: Evidence, clock: Clock) -> None:
        self._custody, self._evidence, self._clock = custody, evidence, clock

    async def __call__(self, caller: Caller, document_id: str, source_version: int, release_at: int, why: str) -> Version:
        """Release a version at a grade that may be indexed, or refuse it with 0; return it as it stands.

        What its content is found to be still counts: a secret in it is withheld, whatever was decided. Raises InvalidArgument,
        NotFound (DOCUMENT_NOT_FOUND), FailedPrecondition (NOT_QUARANTINED).
        """
        if not 0 <= release_at <= HIGHEST_INDEXED:
            why_not = f"an index holds L1 to L{HIGHEST_INDEXED}"
            raise InvalidArgument(why_not, reason="GRADE_NOT_INDEXED", metadata={"field": "release_at"})
        now_us = int(self._clock.now_s() * 1_000_000)
        decision = Decision(caller.principal, why, now_us)
        version = await self._custody.decide(caller.tenant, document_id, source_version, release_at, decision)
        await self._evidence.changed(
            Changed(
                act=ChangeAct.RELEASE if release_at else ChangeAct.REFUSE,
                caller=caller,
                at_us=now_us,
                document_id=document_id,
                source_version=source_version,
                content_sha256=version.submission.content_sha256,
                state=version.state.value,
                grade=release_at,
                why=why,
            )
        )
        return version
