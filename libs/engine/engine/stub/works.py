"""Who asked for what: each piece of work, from its operation to its end, found by every name that somebody has for it.

Surprising: a request's id does not name work here. The same request comes again as another attempt, perhaps while the first still ends,
so the engine knows work by owner and the owner's own number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from finmesh.engine.v1 import engine_pb2 as pb

from engine.llm.errors import Refused
from engine.llm.generation import Finished, Token


@dataclass(slots=True, eq=False)
class Work:
    """``handoff``: id and epoch, of a prefill or of the ticket that is pulled. ``ending``: why it shall end, empty while it goes on.

    ``failure``: what went wrong with one of its answers, which ends all.
    """

    owner: str
    work_id: str
    handoff: tuple[str, int] | None = None
    accepted_ns: int = field(default_factory=time.time_ns)
    begun_ns: int = 0
    phases: list[pb.Phase] = field(default_factory=list)
    first: list[Token] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    ending: str = ""
    failure: Refused | None = None

    @property
    def key(self) -> str:
        """Return the name under which the engine has it."""
        return f"{self.owner}/{self.work_id}"

    def why(self, error: Exception | None) -> Exception | None:
        """Return why it ended: what was asked for counts, and not what came of that where it was just then."""
        return Refused(self.ending, "ended on demand") if self.ending and error is not None else error

    def phase(self, name: str, start_ns: int, end_ns: int | None = None) -> None:
        """Note how time went; until now, unless said."""
        self.phases.append(pb.Phase(name=name, start_ns=start_ns, end_ns=end_ns or time.time_ns()))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long the block takes."""
        start_ns = time.time_ns()
        yield
        self.phase(name, start_ns)


class Works:
    """Thread-safe."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        self._reservations: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, work: Work) -> None:
        """Take on a piece of work. Raises Refused REQUEST_DUPLICATE."""
        with self._lock:
            if work.key in self._works:
                raise Refused("REQUEST_DUPLICATE", f"work {work.work_id} of {work.owner} exists")
            self._works[work.key] = work

    def get(self, key: str) -> Work | None:
        """Return a piece of work by the engine's name."""
        with self._lock:
            return self._works.get(key)

    def done(self, work: Work) -> bool:
        """Forget it; False when it was forgotten before, so that one end is told once."""
        with self._lock:
            return self._works.pop(work.key, None) is not None

    def of_owner(self, owner: str) -> list[Work]:
        """Return what an owner asked for."""
        with self._lock:
            return [work for work in self._works.values() if work.owner == owner]

    def of_handoff(self, handoff_id: str, epoch: int) -> list[Work]:
        """Return what is done for an epoch of a hand-off, and for lower ones."""
        with self._lock:
            return [work for work in self._works.values() if work.handoff and work.handoff[0] == handoff_id and work.handoff[1] <= epoch]

    def reserved(self, reservation_id: str, owner: str) -> None:
        """Note whose a reservation is."""
        with self._lock:
            self._reservations[reservation_id] = owner

    def reservations_of(self, owner: str) -> list[str]:
        """Return an owner's reservations and forget them."""
        with self._lock:
            found = [each for each, whose in self._reservations.items() if whose == owner]
            for each in found:
                del self._reservations[each]
            return found

    def unreserved(self, reservation_id: str) -> None:
        """Forget a reservation."""
        with self._lock:
            self._reservations.pop(reservation_id, None)

    def held(self) -> list[str]:
        """Return what is still worked at, one line each."""
        with self._lock:
            return [f"work {work.key} hand-off {work.handoff}" for work in self._works.values()]
