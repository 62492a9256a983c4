"""RPC ResetConversation."""

from __future__ import annotations

from rag import ports
from rag.domain.caller import Caller


async def reset_conversation(conversations: ports.Conversations, caller: Caller, conversation_id: str, forget: bool) -> None:
    """Empty the scope of the caller's conversation, or forget it; one that is not there is as empty as can be."""
    await conversations.reset(caller.tenant, caller.principal, conversation_id, forget)
