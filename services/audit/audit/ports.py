"""What the audit service needs from outside."""

from collections.abc import Mapping
from typing import Protocol

from translog.entries import Batch, Keys, Kind, NextOffset, ProducerPosition
from translog.log import Committed
from translog.reader import ConsistencyProof, InclusionProof, Leaf

from audit.domain.message import Envelope


class AuditLog(Protocol):
    """The one writer. Every method opens the log first if it must.

    Raises Unavailable when the store is away or held by another writer; TranslogError when it was tampered with, fenced or its disk failed:
    then the process must end.
    """

    async def offsets(self) -> list[NextOffset]:
        """Return where each partition of each topic goes on."""
        ...

    async def producers(self) -> list[ProducerPosition]:
        """Return the last position of every producer."""
        ...

    async def append(self, batch: Batch) -> Committed:
        """Commit a batch in one transaction."""
        ...


class AuditReader(Protocol):
    """Reads beside the writer, each call one snapshot. Raises NotFound, Unavailable, DataCorrupted."""

    async def record(self, event_id: str) -> Leaf:
        """Return the record leaf of an id."""
        ...

    async def find(self, *, request_id: str, decision_id: str, tenant: str, after: int, limit: int) -> list[Leaf]:
        """Return record leaves of a request (or, when that is empty, of a decision) above index ``after``, oldest first."""
        ...

    async def inclusion(self, event_id: str, size: int) -> InclusionProof:
        """Return the proof that a record is in the tree of ``size`` leaves, the newest when 0."""
        ...

    async def consistency(self, old_size: int, new_size: int) -> ConsistencyProof:
        """Return the proof that the tree of ``old_size`` is a prefix of that of ``new_size``, the newest when 0."""
        ...

    async def checkpoint(self) -> tuple[int, str, str]:
        """Return size, signed note and verifier key text."""
        ...

    async def tallies(self) -> dict[tuple[str, str], int]:
        """Return leaves by kind and tenant."""
        ...


class BatchCodec(Protocol):
    """Reads what producers send; writes nothing, since leaf bytes are never serialised again. Raises UnusableError."""

    def envelope(self, value: bytes) -> Envelope:
        """Return the content of a message after checking its signature."""
        ...

    def keys_of(self, record: bytes) -> Keys:
        """Return what a record is found by."""
        ...


class Alarms(Protocol):
    """Where it is told what was committed; conflicts, poison and gaps alarm."""

    def committed(self, leaves: Mapping[Kind, int], duplicates: int, size: int) -> None:
        """Take note of a commit: new leaves by kind, entries that were there before, size of the log."""
        ...
