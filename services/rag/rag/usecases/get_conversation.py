"""RPC GetConversation: the caller's own turns, without what they may not read any more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rag import ports
from rag.domain.caller import Caller
from rag.domain.conversation import Conversation
from rag.domain.document import FOREVER
from rag.domain.evidence import Act, Looked, Told
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights


@dataclass(frozen=True, slots=True)
class GetConversation:
    """Shows a conversation."""

    library: ports.Library
    conversations: ports.Conversations
    rights: Rights
    evidence: Evidence

    async def __call__(self, caller: Caller, conversation_id: str) -> Conversation:
        """Return it. Raises NotFound (CONVERSATION_NOT_FOUND) for what is nobody's, or another's."""
        kept = await self.conversations.conversation(caller.tenant, caller.principal, conversation_id)
        standing = await self.rights.now(caller)
        cited = {each.passage for turn in kept.turns for sentence in turn.sentences for each in sentence.citations}
        shown, hidden = await self.rights.named(standing, cited)
        told = [Told(name, each.text, standing.grade(each), cited=True) for name, each in shown.items()]
        record = Looked(
            act=Act.CONVERSATION,
            caller=caller,
            reader=standing.reader,
            access_ids=standing.access_ids,
            sequence=await self.library.sequence(),
            at_us=standing.now_us,
            known_at_seq=FOREVER,
            scope=kept.scope,
            conversation_id=conversation_id,
            passages=(*told, *(Told(each, readable=False) for each in hidden)),
        )
        await self.evidence.looked(record, kept.scope.documents)
        return replace(kept, turns=tuple(turn.readable(shown.keys()) for turn in kept.turns))
