"""RPC Compare: two versions of a document, or two documents, clause by clause."""

from __future__ import annotations

from collections.abc import Sequence

from rag import ports
from rag.domain.answering import clauses
from rag.domain.answering.compare import Comparison, Side, compare
from rag.domain.caller import Caller
from rag.domain.document import AsOf
from rag.domain.evidence import Act, Looked, Told
from rag.domain.retrieval import Passage, Scope
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights, Standing
from rag.steps.whole import Whole


class Compare:
    """Compares."""

    def __init__(self, library: ports.Library, whole: Whole, rights: Rights, evidence: Evidence) -> None:
        self._library, self._whole, self._rights, self._evidence = library, whole, rights, evidence

    async def __call__(self, caller: Caller, left: Side, right: Side) -> Comparison:
        """Return all differences. Raises NotFound (DOCUMENT_NOT_FOUND), InvalidArgument (DOCUMENT_AMBIGUOUS)."""
        return await self._rights.held(caller, lambda: self._compared(caller, left, right))

    async def _compared(self, caller: Caller, left: Side, right: Side) -> tuple[Comparison, Sequence[Passage]]:
        standing = await self._rights.now(caller)
        times = AsOf(standing.now_us, await self._library.sequence())
        try:
            ours, theirs = [await self._whole(standing, side.document, times, side.source_version) for side in (left, right)]
        except Exception:
            await self._looked(caller, standing, times, (left, right), ())
            raise
        await self._looked(caller, standing, times, (left, right), [*ours, *theirs])
        return compare(clauses.every(ours), clauses.every(theirs)), [*ours, *theirs]

    async def _looked(self, caller: Caller, standing: Standing, times: AsOf, sides: Sequence[Side], read: Sequence[Passage]) -> None:
        documents = tuple(dict.fromkeys(side.document for side in sides))
        record = Looked(
            act=Act.COMPARE,
            caller=caller,
            reader=standing.reader,
            access_ids=standing.access_ids,
            sequence=times.known_at_seq,
            at_us=standing.now_us,
            valid_at_us=times.valid_at_us,
            known_at_seq=times.known_at_seq,
            scope=Scope(documents=documents),
            passages=[Told(each.id, each.text, standing.grade(each)) for each in read],
        )
        await self._evidence.looked(record, documents)
