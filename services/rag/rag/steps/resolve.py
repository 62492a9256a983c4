"""From names to versions: what a question names by itself, and what a caller's scope narrows it to. Both see readable names alone.

The catalogue of a set of access ids is kept until the ledger moves; it holds names, never text.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rag import ports
from rag.domain.names import squeezed
from rag.domain.ranking import Filter
from rag.domain.retrieval import Scope
from rag.domain.scope import Catalogue, Named

_KEPT = 64
_PAGE = 1_000

_Key = tuple[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class _Document:
    """A document. ``title`` and ``product`` are squeezed; ``base``: the id of the one that it endorses."""

    document_id: str
    title: str
    product: str
    base: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What is readable with one set of access ids at one sequence."""

    sequence: int
    catalogue: Catalogue
    documents: tuple[_Document, ...]


class Resolve:
    """Resolves names."""

    def __init__(self, library: ports.Library) -> None:
        self._library = library
        self._kept: OrderedDict[_Key, _Known] = OrderedDict()

    async def named(self, where: Filter, question: str, sequence: int) -> Named:
        """Return what the question names, by a catalogue of this sequence or a later one."""
        return (await self._known(where, sequence)).catalogue.resolve(question)

    async def narrowed(self, where: Filter, scope: Scope, sequence: int) -> frozenset[int]:
        """Return all versions of the documents and products of a caller's scope that have a readable passage; none is a valid answer."""
        ids, titles = set(scope.documents), {squeezed(each) for each in scope.documents} - {""}
        products = {squeezed(each) for each in scope.products} - {""}
        found: set[int] = set()
        for known in (await self._known(where, sequence)).documents:
            fits = not scope.documents or known.document_id in ids or known.title in titles
            if fits and (not scope.products or known.product in products):
                found |= {each.version_id for each in await self._library.versions(where.tenant, known.document_id, where.access_ids)}
        return frozenset(found)

    async def endorsing(self, where: Filter, base: str, sequence: int) -> list[str]:
        """Return the documents with a readable passage that endorse a document, whenever they hold."""
        return [known.document_id for known in (await self._known(where, sequence)).documents if known.base == base]

    async def _known(self, where: Filter, sequence: int) -> _Known:
        key = (where.tenant, where.access_ids)
        known = self._kept.get(key)
        if known is None or known.sequence < sequence:
            names = await self._library.names(where.tenant, where.access_ids)
            catalogue = Catalogue((name, version_id) for name, version_id, access_id in names if access_id in where.access_ids)
            known = self._kept[key] = _Known(sequence, catalogue, tuple([each async for each in self._documents(where)]))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return known

    async def _documents(self, where: Filter) -> AsyncIterator[_Document]:
        after = ""
        while page := await self._library.documents(where.tenant, where.access_ids, after, _PAGE):
            for version in page:
                handed_in = version.submission
                yield _Document(handed_in.document_id, squeezed(handed_in.title), squeezed(handed_in.product), handed_in.base)
            after = page[-1].submission.document_id
