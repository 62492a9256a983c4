"""What risk-scoring needs from the world. Each port has one suite in tests/ports that every adapter passes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
from meshkit.errors import Unavailable
from numpy.typing import NDArray

from risk_scoring.domain.decision import Asker, Draft, Verdict
from risk_scoring.domain.history import PastDecision, PastLabel
from risk_scoring.domain.lists import ListChange
from risk_scoring.domain.observation import (
    Candidate,
    CapPolicy,
    Change,
    Compacted,
    Effect,
    Finalised,
    LoggedDecision,
    Observation,
    Observed,
    Recorded,
    RecordPlace,
    RestoredRecord,
)


class StoreForgotten(Unavailable):
    """The feature store restarted, failed over or was emptied: a restore has to come first (rule D8)."""

    default_reason = "STORE_NOT_RESTORED"


class FeatureStore(Protocol):
    """State of entities, stored vectors and stored decisions. Raises Unavailable when it can't be reached or has to be restored first."""

    async def observe(
        self, batch: Sequence[Observation], partition: int = -1, offset: int = -1, timeout_s: float | None = None
    ) -> Observed:
        """Return stored decisions or feature vectors and count the new transactions (rule D4)."""
        ...

    async def finalise(
        self,
        candidates: Sequence[Candidate],
        caps: Mapping[str, CapPolicy],
        published: Mapping[int, int] | None = None,
        timeout_s: float | None = None,
    ) -> list[Finalised]:
        """Store decisions where none is stored yet, and say who won (rules D6, D18)."""
        ...

    @property
    def generation(self) -> str:
        """Return which restore of the store this process works on, empty for none."""
        ...

    async def confirm(self, generation: str) -> None:
        """Raise StoreForgotten unless the store is still of this generation."""
        ...

    async def amend(self, changes: Sequence[Change], source: str, position: str) -> list[Effect]:
        """Apply corrections together with the next position of their input (rules D17, D29).

        While any is REFUSED the position stays.
        """
        ...

    async def amended(self) -> dict[str, str]:
        """Return the next position of every input of corrections."""
        ...

    async def stored_decision(self, decision_id: bytes) -> bytes | Recorded | None:
        """Return a stored decision's bytes, or where they stand."""
        ...


class HistoryStore(Protocol):
    """The side of the feature store that takes the past. Methods raise Unavailable."""

    async def import_part(self, import_id: str, number: int, changes: Sequence[Change]) -> int:
        """Count one part of an import, if it is its turn; returns the number of the part whose turn is next."""
        ...

    async def imported_parts(self, import_id: str) -> int:
        """Return how many parts of an import are counted."""
        ...


class RestorableStore(Protocol):
    """The side of the feature store that a restore needs (rules D8, D9)."""

    generation: str | None

    async def adopt(self) -> bool:
        """Say whether the store is restored since its process started, and work on it if so."""
        ...

    async def check_durability(self) -> None:
        """Raise FailedPrecondition (STORE_NOT_DURABLE) when the store evicts or keeps nothing on disk."""
        ...

    async def lock(self) -> str | None:
        """Become the one who restores; None when somebody else is."""
        ...

    async def hold(self, token: str) -> None:
        """Stay the one who restores."""
        ...

    async def unlock(self, token: str) -> None:
        """Let others restore."""
        ...

    async def invalidate(self) -> None:
        """Stop all use of the store until it is restored."""
        ...

    async def publish_generation(self) -> None:
        """Declare it restored."""
        ...


class RestoreTarget(Protocol):
    """Where published decisions are put back."""

    async def published_offset(self, partition: int) -> int:
        """Return the last offset up to which the store knows all decisions of a partition, -1 for none."""
        ...

    async def restore(
        self, token: str, records: Sequence[RestoredRecord], partition: int, next_offset: int, first_offset: int
    ) -> tuple[int, int]:
        """Put decisions back; returns (decisions, deltas). Raises Unavailable when the store lacks what stands before ``first_offset``."""
        ...


class DecisionLog(Protocol):
    """The decision topic, read as a log. Values are exact decision records."""

    async def partitions(self) -> Sequence[int]:
        """Return the partitions' numbers."""
        ...

    def read(self, partition: int, first_offset: int) -> AsyncIterator[tuple[Sequence[LoggedDecision], int]]:
        """Yield (decisions in order, next offset) up to what is written at the time of the call; open transactions are waited for."""
        ...

    async def kept_s(self) -> float:
        """Return how long every record is kept at least, in seconds; infinity for ever, 0 when something else than age takes records."""
        ...


class CompactedStore(Protocol):
    """The side of the feature store whose old decisions are kept by their place (rule D25). Methods raise Unavailable."""

    async def leads_compaction(self, owner: str, life_s: float) -> bool:
        """Say whether ``owner`` is the one who compacts for so long: nothing breaks when two are, it is work done twice."""
        ...

    async def compacted(self) -> dict[int, str]:
        """Return the position behind what was compared, by decision partition."""
        ...

    async def compact(self, batch: Sequence[LoggedDecision], ids: Sequence[bytes], partition: int, before: str, after: str) -> Compacted:
        """Replace stored bytes that are equal to their records; ``ids`` are those of ``batch``. Position and replacements are one step."""
        ...


class DecisionRecords(Protocol):
    """Single records of the decision topic, for decisions that are kept by their place (rule D25)."""

    async def read(self, places: Collection[RecordPlace], within_s: float) -> Mapping[RecordPlace, bytes | None]:
        """Return what could be read in time, one place at least; None for a place whose record is gone for good.

        Raises Unavailable (EVENT_LOG_DOWN) and Overloaded (DECISION_READS_LIMITED) when nothing could be.
        """
        ...


class DecisionHistory(Protocol):
    """What was decided, and what became known since. Raises Unavailable. Batches are small: nothing else waits long for one."""

    async def partitions(self) -> Sequence[int]:
        """Return the partitions' numbers, which are those of decisions and of labels."""
        ...

    def decisions(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastDecision], None]:
        """Yield what was written from ``since_s`` (epoch seconds) until now, in order; an id may come again."""
        ...

    def labels(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastLabel], None]:
        """Yield what was reported from ``since_s`` (epoch seconds) until now, in order; a label may come again."""
        ...


class DecisionPublisher(Protocol):
    """Writes synchronous decisions."""

    async def publish(self, verdicts: Sequence[Verdict]) -> None:
        """Return when all in-sync replicas have every audit record and then every decision (rule D7). Raises Unavailable."""
        ...


class ListPublisher(Protocol):
    """Writes changes of lists."""

    async def publish_list_change(self, change: ListChange, payload: bytes, audit: bytes) -> None:
        """Return when all in-sync replicas have the audit record and then the change. Raises Unavailable."""
        ...


class ListCodec(Protocol):
    """Encodes the evidence of a change of a list."""

    def audit(self, change: ListChange, payload: bytes, asker: Asker) -> bytes:
        """Return the audit record of the change whose exact event is ``payload``."""
        ...


class OutageLog(Protocol):
    """The decision topic as the arbiter while the feature store is down (rule D22). Methods raise Unavailable."""

    async def enter(self) -> None:
        """Take the right to answer every partition and read what was decided lately."""
        ...

    async def leave(self) -> None:
        """Give up the right."""
        ...

    async def partitions(self) -> Sequence[int]:
        """Return the partitions' numbers."""
        ...

    def since_s(self, partition: int) -> float:
        """Return from when on the partition's decisions are known, epoch seconds."""
        ...

    async def partition_of(self, account_id: str) -> int:
        """Return the partition that the account's events arrive on (Kafka's default partitioner)."""
        ...

    async def first(self, partition: int, decision_ids: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Return the first decision of each of the ids, up to the last stable offset; none for an id without one in the lookback."""
        ...

    async def publish(self, partition: int, verdicts: Sequence[Verdict]) -> None:
        """Write decisions and audit records in one transaction under the partition's right; return when ``first`` sees them."""
        ...


class Model(Protocol):
    """One version of the fraud model."""

    version: str
    sha256: bytes  # of its graph, 32 bytes

    async def score(self, vectors: NDArray[np.float32], timeout_s: float) -> NDArray[np.float64]:
        """Return fraud probabilities (n,) for vectors (n, features). Raises Unavailable or DeadlineExceeded."""
        ...


class Codec(Protocol):
    """Encodes the two products. The bytes are compared, stored and published as they are."""

    def decision(self, draft: Draft) -> bytes:
        """Return the decision record."""
        ...

    def audit(self, draft: Draft, decision: bytes) -> bytes:
        """Return the audit record that commits to the decision's bytes."""
        ...

    def fingerprint(self, decision: bytes) -> bytes:
        """Return the fingerprint in a decision record."""
        ...
