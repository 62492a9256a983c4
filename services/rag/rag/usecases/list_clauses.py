"""RPC ListClauses: every clause of a kind in a document, endorsements before what they change; exhaustive, not the best few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag import ports
from rag.domain import warnings
from rag.domain.answer import ENDORSED, Warned
from rag.domain.answering import clauses
from rag.domain.caller import Caller
from rag.domain.document import AsOf
from rag.domain.evidence import Act, Looked, Told
from rag.domain.retrieval import Passage, Scope
from rag.steps.evidence import Evidence
from rag.steps.rights import Rights, Standing
from rag.steps.whole import Whole


class ListClauses:
    """Lists clauses."""

    def __init__(self, library: ports.Library, whole: Whole, rights: Rights, evidence: Evidence) -> None:
        self._library, self._whole, self._rights, self._evidence = library, whole, rights, evidence

    async def __call__(self, caller: Caller, document: str, kind: clauses.Kind, heading: str, as_of: AsOf | None) -> clauses.Listed:
        """Return them in the document's order. Raises NotFound (DOCUMENT_NOT_FOUND), InvalidArgument (DOCUMENT_AMBIGUOUS)."""
        return await self._rights.held(caller, lambda: self._looked(caller, document, (kind, heading), as_of))

    async def _looked(
        self, caller: Caller, document: str, asked: tuple[clauses.Kind, str], as_of: AsOf | None
    ) -> tuple[clauses.Listed, Sequence[Passage]]:
        """List and record; return as well every passage that was read, for each says whether another is listed or changed."""
        standing, sequence = await self._rights.now(caller), await self._library.sequence()
        times = AsOf(as_of.valid_at_us, min(as_of.known_at_seq, sequence)) if as_of else AsOf(standing.now_us, sequence)
        try:
            passages = await self._whole(standing, document, times)
            endorsements = await self._whole.endorsements(standing, passages[0].version.submission.document_id, times)
        except Exception:
            await self._evidence.looked(self._look(caller, standing, document, times, ()), [document])
            raise
        own = [replace(each, endorsement=name) for name, texts in endorsements for each in clauses.listed(texts, *asked)]
        found = clauses.endorsed(clauses.listed(passages, *asked), endorsements, own)
        everything = [*passages, *(each for _, texts in endorsements for each in texts)]
        shown = {each.citation.passage for each in found}
        read = [each for each in everything if each.id in shown]
        await self._evidence.looked(self._look(caller, standing, document, times, read), [document])
        return clauses.Listed(found, self._warnings(document, passages, read, endorsements)), everything

    def _warnings(
        self, document: str, passages: Sequence[Passage], read: Sequence[Passage], endorsements: Sequence[tuple[str, Sequence[Passage]]]
    ) -> Sequence[Warned]:
        words = document + (passages[0].text if passages else "")
        found = [each for each in warnings.of(read, read, words) if each.reason != ENDORSED]
        if endorsements:
            found.append(Warned(ENDORSED, warnings.words(ENDORSED, words), tuple(texts[0].id for _, texts in endorsements if texts)))
        return tuple(found)

    def _look(self, caller: Caller, standing: Standing, document: str, times: AsOf, read: Sequence[Passage]) -> Looked:
        return Looked(
            act=Act.CLAUSES,
            caller=caller,
            reader=standing.reader,
            access_ids=standing.access_ids,
            sequence=times.known_at_seq,
            at_us=standing.now_us,
            valid_at_us=times.valid_at_us,
            known_at_seq=times.known_at_seq,
            scope=Scope(documents=(document,)),
            passages=[Told(each.id, each.text, standing.grade(each), cited=True) for each in read],
        )
