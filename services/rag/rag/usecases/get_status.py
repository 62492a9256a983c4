"""RPC GetStatus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshkit.errors import Unavailable

from rag import ports
from rag.domain.document import State


@dataclass(frozen=True, slots=True)
class Status:
    """How far everything is. ``searchable``: up to which sequence this process can search; ``vectors``: up to which the dense leg can.

    ``without_vector``: passages of versions that the dense leg has not reached, so at most as many lack theirs; 0 where it is not known.
    """

    sequence: int
    searchable: int
    vectors: int
    without_vector: int
    versions: Mapping[State, int]
    degradations: tuple[str, ...]


class GetStatus:
    """Says how far everything is."""

    def __init__(self, library: ports.Library, intake: ports.Intake, lexical: ports.Lexical, vectors: ports.Vectors | None) -> None:
        self._library, self._intake, self._lexical, self._vectors = library, intake, lexical, vectors

    async def __call__(self, tenant: str) -> Status:
        """Return the status of a tenant's knowledge."""
        sequence, versions = await self._library.sequence(), await self._intake.tallies(tenant)
        vectors, degradations = await self._dense()
        missing = 0 if degradations else await self._library.passages_after(tenant, vectors)
        return Status(
            sequence=sequence,
            searchable=self._lexical.position,
            vectors=vectors,
            without_vector=missing,
            versions=versions,
            degradations=degradations,
        )

    async def _dense(self) -> tuple[int, tuple[str, ...]]:
        if self._vectors is None:
            return 0, ("NO_DENSE_LEG",)
        try:
            return await self._vectors.position(), ()
        except Unavailable:
            return 0, ("VECTORS_UNAVAILABLE",)
