"""RPC GetPassage: the preview of a citation, authorised again. What is not there and what may not be read look the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshkit.errors import NotFound

from rag import ports
from rag.domain.caller import Caller
from rag.domain.citing import PassageId, passage_id
from rag.domain.document import FOREVER
from rag.domain.evidence import Act, Looked, Told
from rag.domain.retrieval import Passage
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights, Standing

_MOST_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """A passage, and its neighbours that may be read as well, in order."""

    passage: Passage
    neighbours: tuple[Passage, ...]
    standing: Standing


class GetPassage:
    """Shows one passage."""

    def __init__(self, library: ports.Library, rights: Rights, evidence: Evidence) -> None:
        self._library, self._rights, self._evidence = library, rights, evidence

    async def __call__(self, caller: Caller, name: str, neighbours: int) -> Preview:
        """Return the passage. Raises NotFound (PASSAGE_NOT_FOUND)."""
        wanted = passage_id(name)
        return await self._rights.held(caller, lambda: self._looked(caller, wanted, neighbours))

    async def _looked(self, caller: Caller, wanted: PassageId, neighbours: int) -> tuple[Preview, Sequence[Passage]]:
        standing = await self._rights.now(caller)
        shown, hidden = await self._rights.named(standing, [wanted])
        around: tuple[Passage, ...] = ()
        if (passage := shown.get(wanted)) is not None and neighbours:
            around = await self._around(caller, standing, passage, min(neighbours, _MOST_NEIGHBOURS))
        await self._evidence.looked(await self._look(caller, standing, wanted, passage, around, hidden))
        if passage is None:
            raise NotFound("there is no such passage", reason="PASSAGE_NOT_FOUND")
        return Preview(passage, around, standing), (passage, *around)

    async def _around(self, caller: Caller, standing: Standing, passage: Passage, many: int) -> tuple[Passage, ...]:
        chunks = await self._library.around(caller.tenant, passage.chunk, many, many)
        readable = (each for each in chunks if each.access_id in standing.access and each.chunk_id != passage.chunk.chunk_id)
        return tuple(Passage(each, passage.version, passage.superseded, passage.review_due) for each in readable)

    async def _look(
        self,
        caller: Caller,
        standing: Standing,
        wanted: PassageId,
        passage: Passage | None,
        around: tuple[Passage, ...],
        hidden: list[PassageId],
    ) -> Looked:
        shown = () if passage is None else (passage, *around)
        told = [Told(each.id, each.text, standing.grade(each), cited=each.id == wanted) for each in shown]
        return Looked(
            act=Act.PASSAGE,
            caller=caller,
            reader=standing.reader,
            access_ids=standing.access_ids,
            sequence=await self._library.sequence(),
            at_us=standing.now_us,
            known_at_seq=FOREVER,
            passages=(*told, *(Told(each, readable=False) for each in hidden)),
            forbidden=[each.document_id for each in hidden],
            refusal="" if passage is not None else "PASSAGE_NOT_FOUND",
        )
