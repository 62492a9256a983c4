"""The ledger, as each of those who use it sees it, and who is told of its changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from meshkit.events.offsets_in_db import Position

from rag.domain.access import Access, Grant, Reader
from rag.domain.citing import PassageId
from rag.domain.document import Change, Chunk, Prepared, State, Submission, Version


@dataclass(frozen=True, slots=True)
class Job:
    """A version to be worked on, leased to this leader."""

    version: Version
    epoch: int


class Intake(Protocol):
    """The ledger as those who hand documents in see it."""

    async def enrol(self, submission: Submission, now_us: int) -> Version:
        """Enrol a version, or return the one that this submission already is (content, access, validity and configuration all equal).

        Raises Conflict: SOURCE_VERSION_CONFLICT when the same source_version came with other content, DOCUMENT_PURGED for a late version
        of a document that was destroyed (of which nothing is kept; newer versions begin anew).
        """
        ...

    async def withdraw(self, tenant: str, document_id: str, source_version: int, now_us: int) -> int:
        """Hide a document from this sequence on; return it. Versions up to ``source_version`` that arrive later stay hidden."""
        ...

    async def version(self, tenant: str, document_id: str, source_version: int = 0) -> Version:
        """Return a version, the newest when 0. Raises NotFound (DOCUMENT_NOT_FOUND)."""
        ...

    async def tallies(self, tenant: str) -> Mapping[State, int]:
        """Return versions by state."""
        ...


class Positions(Protocol):
    """How far the topics were read, kept where documents are enrolled. Enrolling again is a no-op, so what was read is told afterwards."""

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each known partition goes on."""
        ...

    async def reached(self, topic: str, positions: Sequence[Position]) -> None:
        """Keep how far a topic was read."""
        ...


class Workbench(Protocol):
    """The ledger as the one leader among ingest processes sees it. Methods with an epoch raise Conflict (FENCED) when another leads."""

    async def lead(self, owner: str, lease_s: float, now_us: int) -> int:
        """Become or stay the leader; return the epoch. Raises Conflict (ANOTHER_LEADS)."""
        ...

    async def refresh(self, epoch: int, configuration: bytes, limit: int) -> int:
        """Let current versions that were read under another configuration wait again; return how many, 0 when there are none left.

        What is visible stays so. At most ``limit`` at a time: a leader has to renew its lease, and others write as well.
        """
        ...

    async def claim(self, epoch: int, under_way: Collection[int], limit: int, now_us: int) -> list[Job]:
        """Take versions that wait, oldest first, all but those under way: what an earlier epoch had claimed waits again.

        So does what this one had claimed when the answer was lost. A claim counts as an attempt, before anything is read: a version that
        ends its process is known by that.
        """
        ...

    async def publish(self, job: Job, prepared: Prepared, now_us: int) -> int:
        """Make a version visible in one transaction: title, passages, access ids, names, end of the version before, change log.

        Return its sequence. A version that was withdrawn or purged meanwhile stays hidden, and that is no error.
        """
        ...

    async def fail(self, job: Job, state: State, reason: str, now_us: int) -> None:
        """End a version as FAILED or QUARANTINED, or put it back for another attempt with ENROLLED, each time for twice as long."""
        ...

    async def release(self, job: Job, reason: str, now_us: int) -> None:
        """Put a version back that nothing is wrong with, for what it needs is away: the attempt is not counted."""
        ...

    async def resign(self, epoch: int) -> None:
        """Stop leading: what was claimed waits again and its attempt is not counted."""
        ...


class Library(Protocol):
    """The ledger as readers and indexes see it."""

    async def sequence(self) -> int:
        """Return the newest sequence."""
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return what happened after a sequence, oldest first."""
        ...

    async def version_of(self, version_id: int) -> Version:
        """Return a version, a purged one as far as it is known."""
        ...

    async def indexed(self, version_id: int) -> tuple[Version, list[Chunk]]:
        """Return a version with its passages, unsealed, in order. Raises NotFound (VERSION_GONE) for one that was withdrawn or purged."""
        ...

    async def acknowledge(self, follower: str, seq: int, lease_s: float, now_us: int) -> None:
        """Say that an index holds everything up to a sequence and nothing that was purged before it; until the lease ends it counts."""
        ...

    async def grant(self, tenant: str, principal: str) -> Grant:
        """Return what a principal was granted."""
        ...

    async def readable(self, reader: Reader, now_us: int) -> dict[int, Access]:
        """Return the access ids that a reader may read now."""
        ...

    async def chunks(self, tenant: str, chunk_ids: Sequence[int]) -> dict[int, tuple[Chunk, Version]]:
        """Return passages with their versions, unsealed; unknown ids are left out. Rights are the caller's to check."""
        ...

    async def passages(self, tenant: str, ids: Collection[PassageId]) -> dict[PassageId, tuple[Chunk, Version]]:
        """Return passages by their ids, unsealed; unknown, withdrawn and purged ones are left out. Rights are the caller's to check."""
        ...

    async def around(self, tenant: str, chunk: Chunk, before: int, after: int) -> list[Chunk]:
        """Return a passage's neighbours of the same version and access id, in order."""
        ...

    async def documents(self, tenant: str, access_ids: Collection[int], after: str, limit: int) -> list[Version]:
        """Return the newest visible version of each document that has a readable passage, by document id."""
        ...

    async def versions(self, tenant: str, document_id: str, access_ids: Collection[int]) -> list[Version]:
        """Return all versions of a document with a readable passage, newest first."""
        ...

    async def extents(self, tenant: str, version_ids: Collection[int], access_ids: Collection[int]) -> dict[int, dict[int, int]]:
        """Return how many passages of each version have each of these access ids; what has none is left out."""
        ...

    async def passages_after(self, tenant: str, seq: int) -> int:
        """Return how many passages there are of versions that were published after a sequence, or demand more since."""
        ...

    async def names(self, tenant: str, access_ids: Collection[int]) -> list[tuple[str, int, int]]:
        """Return the names catalogue of what is readable: (name, version_id, access_id)."""
        ...


class Announcer(Protocol):
    """Tells banks what became of what they handed in."""

    async def announce(self, changes: Sequence[tuple[Change, Version]]) -> None:
        """Tell of changes, in order, acknowledged. Raises Unavailable."""
        ...
