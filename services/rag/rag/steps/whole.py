"""Whole documents, as far as a caller may read them: every passage in order, none ranked. Forbidden and absent look the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from meshkit.errors import InvalidArgument, NotFound

from rag import ports
from rag.domain.candidates import confirmed
from rag.domain.document import AsOf, State, Version
from rag.domain.ranking import Filter
from rag.domain.retrieval import Passage, Scope, passage_of
from rag.steps.resolve import Resolve
from rag.steps.rights import Standing

_PAGE = 1_000


class Whole:
    """Reads whole documents."""

    def __init__(self, library: ports.Library, resolve: Resolve) -> None:
        self._library, self._resolve = library, resolve

    async def __call__(self, standing: Standing, name: str, as_of: AsOf, source_version: int = 0) -> list[Passage]:
        """Return the passages of a document by id or exact title: of the version in force, or of one version whenever it was.

        Raises NotFound (DOCUMENT_NOT_FOUND), InvalidArgument (DOCUMENT_AMBIGUOUS) for a title that several documents have.
        """
        where = Filter(standing.reader.tenant, standing.access_ids, as_of)
        named = await self._resolve.narrowed(where, Scope(documents=(name,)), await self._library.sequence())
        versions = [await self._library.version_of(each) for each in sorted(named)]
        exact = [each for each in versions if each.submission.document_id == name] or versions
        if len({each.submission.document_id for each in exact}) > 1:
            raise InvalidArgument("several documents have this title: name one by its id", reason="DOCUMENT_AMBIGUOUS")
        found: list[Passage] = []
        for version in _of(exact, source_version):
            found += await self._passages(standing, version, where, at_any_time=bool(source_version))
        if not found:
            raise NotFound("there is no such document", reason="DOCUMENT_NOT_FOUND")
        return sorted(found, key=lambda passage: passage.chunk.passage.ordinal)

    async def endorsements(self, standing: Standing, document_id: str, as_of: AsOf) -> list[tuple[str, list[Passage]]]:
        """Return the documents in force that endorse a document, with their passages, in the order of their validity."""
        found = []
        async for version in self._documents(standing):
            if version.submission.base == document_id:
                endorsing = version.submission.document_id
                try:
                    found.append((version.submission.valid_from_us, endorsing, await self(standing, endorsing, as_of)))
                except NotFound:  # not in force at that time
                    continue
        return [(endorsing, passages) for _, endorsing, passages in sorted(found, key=lambda each: each[:2])]

    async def _documents(self, standing: Standing) -> AsyncIterator[Version]:
        after = ""
        while page := await self._library.documents(standing.reader.tenant, standing.access_ids, after, _PAGE):
            for version in page:
                yield version
            after = page[-1].submission.document_id

    async def _passages(self, standing: Standing, version: Version, where: Filter, *, at_any_time: bool) -> list[Passage]:
        known, chunks = await self._library.indexed(version.version_id)
        handed_in = known.submission
        asked_us = where.as_of.valid_at_us
        if at_any_time:
            where = replace(where, as_of=AsOf(handed_in.valid_from_us, known.from_seq))
        return [passage_of(chunk, known, standing.now_us, valid_at_us=asked_us) for chunk in chunks if confirmed(chunk, known, where)]


def _of(versions: list[Version], source_version: int) -> list[Version]:
    """Return the rows to read: all, or the newest row of one version, which may have several."""
    visible = [each for each in versions if each.state in (State.VISIBLE, State.PARTIAL)]
    if not source_version:
        return visible
    ours = [each for each in visible if each.submission.source_version == source_version]
    return ours[-1:]
