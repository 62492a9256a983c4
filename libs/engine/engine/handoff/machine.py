"""The hand-off protocol at the publishing end: pure, on a clock that it is given.

RESERVED → PREFILLING → PUBLISHED → PULLING → COMMITTED → FREED, or FAILED(reason), or EXPIRED, for each (handoff_id, epoch); nothing goes
back. Surprising: the end of a hand-off and the end of its bytes are two things. Whoever reads them (a puller, the packer) is a reader, and
an end only marks: bytes may be freed when the last reader has said so or is dead. What was cleared is remembered for a while, so that
who comes late gets the right answer (`Outcome`), and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from engine.handoff.errors import Refused
from engine.handoff.memory import Outcome, Outcomes

Key = tuple[str, int]
PACKER = 0
"""Reader number of whoever packs; pulls are numbered from 1."""


class State(StrEnum):
    """Where a hand-off stands."""

    RESERVED = "RESERVED"
    PREFILLING = "PREFILLING"
    PUBLISHED = "PUBLISHED"
    PULLING = "PULLING"
    COMMITTED = "COMMITTED"
    FREED = "FREED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


ENDED = frozenset({State.COMMITTED, State.FREED, State.FAILED, State.EXPIRED})
LEASED = frozenset({State.PUBLISHED, State.PULLING})


@dataclass(frozen=True, slots=True)
class Lease:
    """Seconds on this end's clock. ``most_s``: no heartbeat extends a lease beyond that, from PUBLISHED on."""

    lease_s: float = 30.0
    extend_s: float = 20.0
    most_s: float = 300.0
    remembered: int = 16_384


@dataclass(slots=True)
class Handoff:
    """One that is not cleared. ``until_s``: of its lease, or of its reservation before that."""

    state: State
    until_s: float
    reason: str = ""
    last_s: float = 0.0
    newest_pull: int = 0
    readers: set[int] = field(default_factory=set)


class Machine:
    """Not thread-safe: its publisher locks. A message for a hand-off that is cleared or unknown changes nothing and counts as late."""

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float], lease: Lease | None = None) -> None:
        self.lease = lease or Lease()
        self.late = 0
        self._clock = clock
        self._live: dict[Key, Handoff] = {}
        self._epochs: dict[str, int] = {}  # highest epoch of each hand-off with one that is live
        self._past = Outcomes(self.lease.remembered, wall)

    # what the engine does

    def reserve(self, handoff_id: str, epoch: int, ttl_s: float) -> None:
        """Begin, and fence every lower epoch. Raises Refused (STALE_EPOCH, ID_REUSED, ID_INVALID, ID_TOO_OLD)."""
        self._past.admit(handoff_id)
        known = self._highest(handoff_id)
        if epoch < 1 or epoch <= known:
            raise Refused("ID_REUSED" if epoch == known else "STALE_EPOCH", f"epoch {known} is or was there")
        self._end_up_to(handoff_id, epoch - 1, "FENCED")
        self._epochs[handoff_id] = epoch
        self._live[handoff_id, epoch] = Handoff(State.RESERVED, self._clock() + ttl_s)

    def start(self, handoff_id: str, epoch: int) -> None:
        """The prompt is being read. Raises Refused."""
        self._step(handoff_id, epoch, State.RESERVED).state = State.PREFILLING

    def pack(self, handoff_id: str, epoch: int) -> None:
        """Its bytes are being packed: they stay until `publish`, or `released`. Raises Refused."""
        handoff = self._step(handoff_id, epoch, State.PREFILLING)
        if PACKER in handoff.readers:
            raise Refused("OUT_OF_ORDER", "it is being packed")
        handoff.readers.add(PACKER)

    def publish(self, handoff_id: str, epoch: int) -> None:
        """The ticket may go out: the lease begins. Raises Refused with the reason for which it ended meanwhile."""
        self.released(handoff_id, epoch, PACKER)
        handoff = self._step(handoff_id, epoch, State.PREFILLING)
        handoff.state = State.PUBLISHED
        handoff.until_s = self._clock() + self.lease.lease_s
        handoff.last_s = self._clock() + self.lease.most_s

    def abort(self, handoff_id: str, epoch: int, reason: str) -> None:
        """End this epoch and all lower ones, if they have not ended; one that has not begun never will."""
        self._end_up_to(handoff_id, epoch, reason)
        if self._highest(handoff_id) >= epoch:
            return
        self.late += 1
        with suppress(Refused):
            self._past.admit(handoff_id)
            self._past.put(handoff_id, Outcome(epoch, reason))

    # what pullers say

    def grant(self, handoff_id: str, epoch: int, after: int = 0) -> int:
        """Return the number of a pull that begins; it fences every lower one.

        ``after``: the number of the same puller's try before, 0 for none.
        Raises Refused (FENCED, EXPIRED, COMMITTED, UNKNOWN, NOT_PUBLISHED, or the reason of the failure).
        """
        handoff = self._leased(handoff_id, epoch, after)
        handoff.state = State.PULLING
        handoff.newest_pull += 1
        handoff.readers.add(handoff.newest_pull)
        return handoff.newest_pull

    def check(self, handoff_id: str, epoch: int, pull_no: int) -> None:
        """Raise Refused, as `grant` does, unless this pull may go on."""
        self._leased(handoff_id, epoch, pull_no)

    def heartbeat(self, handoff_id: str, epoch: int, pull_no: int) -> None:
        """Extend the lease. ``pull_no`` 0: who holds the ticket and has not begun. Raises Refused as `grant`."""
        handoff = self._leased(handoff_id, epoch, pull_no)
        handoff.until_s = max(handoff.until_s, min(self._clock() + self.lease.extend_s, handoff.last_s))

    def commit(self, handoff_id: str, epoch: int, pull_no: int) -> None:
        """The newest pull has everything: the hand-off ends well. Again is harmless. Raises Refused as `grant`."""
        if pull_no < 1:
            raise Refused("FENCED", "no pull has this number")
        try:
            handoff = self._leased(handoff_id, epoch, pull_no)
        except Refused as refused:
            if refused.reason == State.COMMITTED:
                return
            raise
        handoff.state = State.COMMITTED
        handoff.readers.discard(pull_no)

    def released(self, handoff_id: str, epoch: int, reader: int) -> None:
        """A reader reads no more: it said so, or is dead."""
        if (handoff := self._live.get((handoff_id, epoch))) is not None:
            handoff.readers.discard(reader)
        else:
            self.late += 1

    # what time does

    def expire(self) -> None:
        """End everything whose time is over."""
        for key in list(self._live):
            self._overdue(key)

    def clearable(self) -> list[Key]:
        """Return those that ended and that nobody reads: their bytes may be freed, then `clear`."""
        return [key for key, handoff in self._live.items() if handoff.state in ENDED and not handoff.readers]

    def clear(self, handoff_id: str, epoch: int) -> None:
        """Its bytes are gone: COMMITTED becomes FREED, and what is left is the outcome."""
        handoff = self._live.pop((handoff_id, epoch))
        if handoff.state is State.COMMITTED:
            handoff.state = State.FREED
        self._past.put(handoff_id, Outcome(epoch, _answer(handoff), handoff.newest_pull))
        if self._epochs.get(handoff_id) == epoch:
            del self._epochs[handoff_id]

    def state(self, handoff_id: str, epoch: int) -> State | None:
        """Return where it stands; None when it is cleared or unknown."""
        return self._overdue((handoff_id, epoch))

    def live(self) -> dict[Key, Handoff]:
        """Return all that hold something, for those who look for leaks. Not to be changed."""
        return self._live

    def _leased(self, handoff_id: str, epoch: int, pull_no: int) -> Handoff:
        """Return what may be pulled now. Who is fenced learns that before all else; ``pull_no`` 0 is nobody's."""
        if epoch < self._highest(handoff_id):
            self.late += (handoff_id, epoch) not in self._live
            raise Refused("FENCED", "a higher epoch is or was there")
        state = self._overdue((handoff_id, epoch))
        if state is None:
            self.late += 1
            past = self._past.get(handoff_id)
            if past is None or past.epoch != epoch:
                raise Refused("UNKNOWN")
            raise Refused("FENCED" if pull_no and pull_no != past.pull_no else past.reason)
        handoff = self._live[handoff_id, epoch]
        if pull_no and pull_no != handoff.newest_pull:
            raise Refused("FENCED", f"pull {handoff.newest_pull} was granted")
        if state not in LEASED:
            raise Refused(_answer(handoff) if state in ENDED else "NOT_PUBLISHED")
        return handoff

    def _highest(self, handoff_id: str) -> int:
        past = self._past.get(handoff_id)
        return max(self._epochs.get(handoff_id, 0), past.epoch if past else 0)

    def _step(self, handoff_id: str, epoch: int, expected: State) -> Handoff:
        state = self._overdue((handoff_id, epoch))
        if state is None:
            self.late += 1
            raise Refused("UNKNOWN")
        handoff = self._live[handoff_id, epoch]
        if state is not expected:
            raise Refused(_answer(handoff) if state in ENDED else "OUT_OF_ORDER", f"{state}, not {expected}")
        return handoff

    def _overdue(self, key: Key) -> State | None:
        handoff = self._live.get(key)
        if handoff is None:
            return None
        if handoff.state not in ENDED and self._clock() >= handoff.until_s:
            handoff.state = State.EXPIRED
        return handoff.state

    def _end_up_to(self, handoff_id: str, epoch: int, reason: str) -> None:
        for (each, number), handoff in self._live.items():
            if each == handoff_id and number <= epoch and handoff.state not in ENDED:
                handoff.state, handoff.reason = State.FAILED, reason


def _answer(handoff: Handoff) -> str:
    if handoff.state is State.FREED:
        return State.COMMITTED
    return handoff.reason or str(handoff.state)
