"""RPC GetConversation: the caller's own turns, without what they may not read any more; what gave way since then is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rag import ports
from rag.domain.answer import Sentence
from rag.domain.caller import Caller
from rag.domain.citing import PassageId
from rag.domain.conversation import Conversation
from rag.domain.document import FOREVER
from rag.domain.evidence import Act, Looked, Told
from rag.domain.retrieval import Passage
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
        return await self.rights.held(caller, lambda: self._looked(caller, conversation_id))

    async def _looked(self, caller: Caller, conversation_id: str) -> tuple[Conversation, Sequence[Passage]]:
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
        turns = [turn.readable(shown.keys()) for turn in kept.turns]
        marked = (replace(turn, sentences=tuple(_marked(each, shown) for each in turn.sentences)) for turn in turns)
        return replace(kept, turns=tuple(marked)), list(shown.values())


def _marked(sentence: Sentence, shown: Mapping[PassageId, Passage]) -> Sentence:
    return replace(sentence, citations=tuple(replace(each, superseded=shown[each.passage].superseded) for each in sentence.citations))
