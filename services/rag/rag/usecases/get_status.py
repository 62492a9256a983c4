"""RPC GetStatus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rag import ports
from rag.domain.document import State


@dataclass(frozen=True, slots=True)
class Status:
    """How far everything is. ``searchable``: up to which sequence this process can search."""

    sequence: int
    searchable: int
    versions: Mapping[State, int]
    degradations: tuple[str, ...]


class GetStatus:
    """Says how far everything is."""

    def __init__(self, library: ports.Library, intake: ports.Intake, lexical: ports.Lexical, degradations: Callable[[], list[str]]) -> None:
        self._library, self._intake, self._lexical, self._degradations = library, intake, lexical, degradations

    async def __call__(self, tenant: str) -> Status:
        """Return the status of a tenant's knowledge."""
        sequence, versions = await self._library.sequence(), await self._intake.tallies(tenant)
        return Status(sequence, self._lexical.position, versions, tuple(self._degradations()))
