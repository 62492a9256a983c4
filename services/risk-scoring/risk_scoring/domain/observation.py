"""What the feature store needs of a transaction, and what it answers. Keys are keyed hashes; nothing here names a customer.

The order of ``Observation``'s fields is the order that `adapters/scripts/state.lua` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, Self

import numpy as np
from meshkit.errors import InvalidArgument
from numpy.typing import NDArray

from risk_scoring.domain.transaction import MAX_AMOUNT_MINOR, MAX_EVENT_TIME_US

_KEY_BYTES = 4  # at least: scripts read so many


class Observation(NamedTuple):
    """One transaction for the scripts.

    Ids and keys are bytes; times are epoch seconds; the amount is in minor units of the reference currency.
    """

    decision_id: bytes  # 16 bytes
    fingerprint: bytes  # 16 bytes
    customer_key: bytes
    counterparty_key: bytes  # empty when there is none
    device_key: bytes  # empty when unknown
    account_key: bytes
    time_s: int
    amount_minor: int
    channel: int
    local_hour: int
    local_weekday: int
    place: int  # first four bytes of the place's keyed hash, 0 when unknown


@dataclass(frozen=True, slots=True)
class New:
    """Never seen before: counted, and its vector is of the current schema."""


@dataclass(frozen=True, slots=True)
class StoredVector:
    """Seen before, not decided. ``schema``: of the vector that was stored then."""

    schema: int


@dataclass(frozen=True, slots=True)
class Decided:
    """Decided before. Exact bytes of the decision and of its audit record (empty after a restore: audited before it was published)."""

    decision: bytes
    audit: bytes


class RecordPlace(NamedTuple):
    """Where a decision's record stands for good (rule D25)."""

    topic_id: bytes  # 16 bytes: a topic that is made anew has another one
    partition: int
    offset: int


class LoggedDecision(NamedTuple):
    """A decision's exact bytes, and where they stand."""

    place: RecordPlace
    decision: bytes


class Compacted(NamedTuple):
    """What became of a batch of records that were compared with stored decisions (rule D25)."""

    position: str  # that stands; another one than was given: nothing was done
    replaced: int
    unequal: Sequence[bytes]  # decision ids


@dataclass(frozen=True, slots=True)
class Recorded:
    """Decided before; the bytes are those of the record at ``place``. ``fingerprint``: as it is stored, where the store was asked by id."""

    place: RecordPlace
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same id came with another fingerprint before."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Answer of Observe. ``rows``: one for each transaction."""

    rows: list[New | StoredVector | Decided | Recorded | Conflict]
    vectors: NDArray[np.float32]  # (rows that are New or StoredVector, features) float32, in input order


class Candidate(NamedTuple):
    """A decision that wants to be the one.

    ``capped_*`` hold the form it takes when the decline cap is reached; empty when the cap doesn't apply.
    """

    decision_id: bytes
    fingerprint: bytes
    cap_scope: str  # whose declines are counted together: the tenant; empty for what doesn't count (not live, hard blocks)
    decision: bytes
    audit: bytes
    capped_decision: bytes
    capped_audit: bytes


@dataclass(frozen=True, slots=True)
class Won:
    """The candidate is the decision."""


@dataclass(frozen=True, slots=True)
class Capped:
    """The candidate's capped form is the decision."""


Finalised = Won | Capped | Decided | Recorded | Conflict
"""What became of a candidate."""


class CapPolicy(NamedTuple):
    """Decline cap of one scope (rule D18): the share of declines in a processing-time interval, from a least number of decisions on."""

    interval_s: int
    highest_rate: float
    least_decisions: int


class Change(NamedTuple):
    """A later correction of an observed transaction; field order as in state.lua."""

    kind: str  # label, decline, cancel, reverse or advice
    observation: Observation
    frauds: int
    genuine: int
    amount_minor: int
    change_id: str
    label_type: int = 0


class Effect(Enum):
    """What became of a change."""

    APPLIED = auto()
    WAITS = auto()  # for its transaction
    REPEATED = auto()
    REFUSED = auto()  # its transaction came with other content


class RestoredRecord(NamedTuple):
    """One published decision for restore.lua."""

    observation: Observation
    decision: bytes
    partition: int  # input partition, -1 for a synchronous decision
    offset: int
    decided_s: int
    place: RecordPlace | None = None  # where it is to be kept, None for its bytes (rule D25)

    def checked(self) -> Self:
        """Return itself; raise InvalidArgument (MALFORMED) for what no decision of ours holds: the script, and all restores, would fail."""
        seen = self.observation
        keys = (seen.counterparty_key, seen.device_key, seen.account_key)
        if len(seen.customer_key) < _KEY_BYTES or any(0 < len(key) < _KEY_BYTES for key in keys):
            raise InvalidArgument("the decision record holds no entity keys", reason="MALFORMED")
        if not (0 <= seen.time_s <= MAX_EVENT_TIME_US // 1_000_000 and 0 <= seen.amount_minor <= MAX_AMOUNT_MINOR):
            raise InvalidArgument("the decision record holds no time or amount", reason="MALFORMED")
        return self
