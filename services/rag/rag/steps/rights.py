"""What a caller may read at this moment, asked anew for every request and before anything is shown again.

Clearance is the lower of token and grant; groups and barriers come from the grant alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from meshkit.clock import Clock

from rag import ports
from rag.domain.access import Access, Reader, reader_of
from rag.domain.caller import Caller
from rag.domain.citing import PassageId
from rag.domain.retrieval import Passage, passage_of


@dataclass(frozen=True, slots=True)
class Standing:
    """The rights of one moment: what the access ids that may be read demand."""

    reader: Reader
    access: Mapping[int, Access]
    now_us: int

    @property
    def access_ids(self) -> frozenset[int]:
        """Return the access ids that may be read."""
        return frozenset(self.access)

    def grade(self, passage: Passage) -> int:
        """Return the grade of a passage that may be read."""
        return self.access[passage.chunk.access_id].grade


class Rights:
    """Asks the ledger."""

    def __init__(self, library: ports.Library, clock: Clock) -> None:
        self._library, self._clock = library, clock

    async def now(self, caller: Caller) -> Standing:
        """Return what a caller may read now."""
        now_us = int(self._clock.now_s() * 1_000_000)
        grant = await self._library.grant(caller.tenant, caller.principal)
        reader = reader_of(caller.tenant, caller.principal, caller.purpose, caller.clearance, grant)
        return Standing(reader, await self._library.readable(reader, now_us), now_us)

    async def still(self, caller: Caller, passages: Sequence[Passage]) -> frozenset[int]:
        """Return the chunk ids, of passages that were found a while ago, that may be shown now."""
        standing = await self.now(caller)
        there = await self._library.chunks(caller.tenant, [each.chunk.chunk_id for each in passages])
        return frozenset(chunk_id for chunk_id, (chunk, _) in there.items() if chunk.access_id in standing.access)

    async def named(self, standing: Standing, ids: Collection[PassageId]) -> tuple[dict[PassageId, Passage], list[PassageId]]:
        """Return passages by their ids: those that may be shown, and, for the log alone, those that are there and may not."""
        there = await self._library.passages(standing.reader.tenant, ids)
        shown: dict[PassageId, Passage] = {}
        hidden: list[PassageId] = []
        for name, (chunk, version) in there.items():
            if chunk.access_id not in standing.access:
                hidden.append(name)
                continue
            shown[name] = passage_of(chunk, version, standing.now_us)
        return shown, hidden
