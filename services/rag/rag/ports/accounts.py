"""What is kept of questions and answers, and what audit alone may know."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from rag.domain.conversation import Conversation, Read, Turn, Unanswered
from rag.domain.evidence import Changed, Looked
from rag.domain.retrieval import Scope


class References(Protocol):
    """The ledger as audit sees it: whatever the rights are. Nothing of it ever reaches a caller."""

    async def referred(self, tenant: str, names: Collection[str]) -> dict[str, frozenset[int]]:
        """Return the documents that exist under these ids or exact titles, each with all access ids of its passages."""
        ...


class Conversations(Protocol):
    """What was asked before, sealed, by (tenant, principal, conversation id): nobody finds another's. A purge takes out what it cited."""

    async def conversation(self, tenant: str, principal: str, conversation_id: str) -> Conversation:
        """Raises NotFound (CONVERSATION_NOT_FOUND)."""
        ...

    async def add_turn(self, tenant: str, principal: str, conversation_id: str, turn: Turn, scope: Scope) -> None:
        """Keep a turn, of which the newest hundred stay, and the scope of the next; begin the conversation where there is none."""
        ...

    async def reset(self, tenant: str, principal: str, conversation_id: str, forget: bool) -> None:
        """Empty the scope, or forget it whole. Nothing for one that is not there."""
        ...


class Reports(Protocol):
    """What is written down of answers, for reports."""

    async def unanswered(self, tenant: str, question: str, refusal: str, now_us: int) -> None:
        """Count a question without an answer, already masked; kept sealed."""
        ...

    async def list_unanswered(self, tenant: str, since_us: int, limit: int) -> list[Unanswered]:
        """Return them, newest first."""
        ...

    async def reads(self, tenant: str, reads: Sequence[Read]) -> None:
        """Write down who was shown what."""
        ...

    async def list_reads(self, tenant: str, document_id: str, principal: str, since_us: int, limit: int) -> list[Read]:
        """Return reads, newest first; an empty id or principal means all."""
        ...

    async def feedback(self, tenant: str, principal: str, audit_record_id: str, verdict: str, comment: str, now_us: int) -> None:
        """Keep what a person thought of an answer; the comment is masked already and kept sealed."""
        ...


class RecordCodec(Protocol):
    """Makes audit records: id and exact bytes."""

    def looked(self, facts: Looked) -> tuple[str, bytes]:
        """Return the record of a look into documents."""
        ...

    def changed(self, facts: Changed) -> tuple[str, bytes]:
        """Return the record of a change."""
        ...


class RecordLog(Protocol):
    """The way to the audit log."""

    async def write(self, records: Sequence[bytes]) -> None:
        """Return when all in-sync replicas have these records. Raises Unavailable."""
        ...
