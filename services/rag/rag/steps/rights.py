"""What a caller may read at this moment, asked anew for every request and as the last thing before anything is shown.

Clearance is the lower of token and grant; groups and barriers come from the grant alone. Between a look and its showing lies the record of
the look, which takes as long as Kafka does: `held` begins anew when a right went meanwhile, so that nothing is shown in that window, and
what is shown is what a caller gets who never had the right. Both looks stand in the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from meshkit.clock import Clock
from meshkit.errors import Unavailable

from rag import ports
from rag.domain.access import Access, Reader, reader_of
from rag.domain.caller import Caller
from rag.domain.citing import PassageId
from rag.domain.retrieval import Passage, passage_of

_ATTEMPTS = 3
Made = TypeVar("Made")


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

    async def still(self, caller: Caller, passages: Sequence[Passage]) -> list[Passage]:
        """Return the passages, of those that were found a while ago, that may be shown now."""
        if not passages:
            return []
        there = await self._library.chunks(caller.tenant, [each.chunk.chunk_id for each in passages])
        access = (await self.now(caller)).access
        ids = {chunk_id for chunk_id, (chunk, _) in there.items() if chunk.access_id in access}
        return [each for each in passages if each.chunk.chunk_id in ids]

    async def held(self, caller: Caller, attempt: Callable[[], Awaitable[tuple[Made, Sequence[Passage]]]]) -> Made:
        """Return what an attempt made whose passages, all that it rests on, may still be shown when it is made and recorded.

        Raises as `repeated`.
        """

        async def once() -> Made | None:
            made, passages = await attempt()
            return made if len(await self.still(caller, passages)) == len(passages) else None

        return await self.repeated(once)

    async def repeated(self, attempt: Callable[[], Awaitable[Made | None]]) -> Made:
        """Return what an attempt made; it returns None when a right went meanwhile.

        Raises Unavailable (RIGHTS_CHANGED) when rights go faster than it is made, and what the attempt raises.
        """
        for _ in range(_ATTEMPTS):
            if (made := await attempt()) is not None:
                return made
        raise Unavailable("rights changed while it was answered", reason="RIGHTS_CHANGED", retry_after_s=1.0)

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
