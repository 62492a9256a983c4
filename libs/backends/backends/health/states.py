"""The state of one engine, from what is found out about it. Pure: times are of one monotonic clock.

Surprising:

- What an adapter says of its engine (reachable or not, and why) is one fact among others. An engine that can be reached again is not
  READY again: it answers a known question first, then takes one request at a time, then all.
- The wait before it is tried again grows with each isolation and shrinks with each quiet minute, so that nothing flaps. An engine that
  merely died is back at once the first time: it is a new process.
- Without known answers nothing can be found wrong, and probation is passed by real answers, or by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

LOST, HUNG, SLOW, WRONG = "ENGINE_LOST", "ENGINE_HUNG", "ENGINE_SLOW", "ENGINE_WRONG"


class State(Enum):
    """What an engine is to those who ask it."""

    STARTING = "starting"
    """Never reached yet, or reached and not seen to answer right."""
    READY = "ready"
    DRAINING = "draining"
    ISOLATED = "isolated"
    PROBATION = "probation"
    """One request at a time."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Before an isolated engine is tried again: ``first_s``, twice as long each time, ``most_s`` at most; ``free`` times there is none."""

    first_s: float
    most_s: float
    free: int = 0

    def seconds(self, times: int) -> float:
        """Return the wait of the ``times``-th isolation, from 1."""
        doubled = times - self.free - 1
        return 0.0 if doubled < 0 else min(self.first_s * 2.0 ** min(doubled, 30), self.most_s)


DEAD = Wait(0.5, 8.0, free=3)
WAITS: Mapping[str, Wait] = MappingProxyType({SLOW: Wait(5.0, 120.0), WRONG: Wait(10.0, 600.0)})
"""By reason; every other one is `DEAD`."""
GOOD = 3
"""So many right answers in a row end a probation."""
PROBATION_S = 60.0
"""An engine of which nothing bad is heard for so long has passed, when nothing can be asked of it."""
FORGIVE_S = 60.0
"""So long READY, and one isolation is forgotten."""
_MOST_TIMES = 32


@dataclass(frozen=True, slots=True)
class Change:
    """``reason``: why it is isolated, UPPER_SNAKE; empty otherwise. ``detail``: what was measured, for people."""

    before: State | None
    after: State
    reason: str
    detail: str


@dataclass(slots=True)
class Health:
    """``is_probed``: there are answers to compare with. Each method notes a finding and returns the change that it makes, if any."""

    is_probed: bool
    state: State = State.STARTING
    reason: str = ""
    detail: str = ""
    since_s: float = 0.0
    times: int = 0
    """Isolations that are not forgotten."""
    until_s: float = 0.0
    """Not tried again before."""
    _is_reachable: bool = False
    _good: int = 0
    _forgiven_s: float = 0.0
    _told: State | None = field(default=None)

    @property
    def takes(self) -> bool:
        """Whether it may be asked at all; a slow engine may, by those who have no other."""
        return self.state in (State.READY, State.PROBATION) or (self.state is State.ISOLATED and self.reason == SLOW and self._is_reachable)

    def wants_probe(self, now_s: float) -> bool:
        """Whether a known question is worth asking now."""
        if not (self.is_probed and self._is_reachable):
            return False
        return self.state is not State.ISOLATED or now_s >= self.until_s

    def reached(self, now_s: float) -> Change | None:
        """Its adapter says that it can be asked. To be told again and again, as time goes by."""
        self._is_reachable = True
        if self.state in (State.STARTING, State.DRAINING) and (not self.is_probed or self.state is State.DRAINING):
            return self._become(State.READY, now_s)
        if self.state is State.ISOLATED and not self.is_probed and now_s >= self.until_s:
            return self._on_probation(now_s)
        if self.state is State.PROBATION and not self.is_probed and now_s - self.since_s >= PROBATION_S:
            return self._become(State.READY, now_s)
        if self.state is State.READY and now_s - self._forgiven_s >= FORGIVE_S:
            self.times, self._forgiven_s = max(0, self.times - 1), now_s
        return None

    def renewed(self, now_s: float) -> Change | None:
        """It is another incarnation than it was, and nobody saw it go."""
        return self._on_probation(now_s) if self.state is State.READY else None

    def starting(self, now_s: float) -> Change | None:
        """Its adapter has not reached it yet."""
        self._is_reachable = False
        return self._become(State.STARTING, now_s) if self._told is None else None

    def draining(self, now_s: float) -> Change | None:
        """It takes nothing new, and says so itself."""
        self._is_reachable = False
        return self._become(State.DRAINING, now_s) if self.state is not State.DRAINING else None

    def lost(self, reason: str, detail: str, now_s: float) -> Change | None:
        """Its adapter says that it can't be asked: it died, hangs, or can't be reached."""
        self._is_reachable = False
        return self._isolate(reason, detail, now_s)

    def wrong(self, detail: str, now_s: float) -> Change | None:
        """It answered a known question wrong."""
        return self._isolate(WRONG, detail, now_s, anew=True)

    def slow(self, detail: str, now_s: float) -> Change | None:
        """It takes far longer than it did, or than its peers do."""
        return self._isolate(SLOW, detail, now_s, anew=True)

    def hung(self, detail: str, now_s: float) -> Change | None:
        """Nothing of what runs there goes on, and a known question stays unanswered."""
        return self._isolate(HUNG, detail, now_s, anew=True)

    def right(self, is_paced: bool, now_s: float) -> Change | None:
        """It answered a known question right; ``is_paced``: and as fast as it should."""
        if self.state is State.STARTING:
            return self._become(State.READY, now_s)
        if self.state is State.ISOLATED and self._is_reachable and now_s >= self.until_s:
            if is_paced or self.reason != SLOW:
                return self._on_probation(now_s)
            self._again(now_s)
            return None
        return self._answered(now_s)

    def answered(self, now_s: float) -> Change | None:
        """It ended a real answer well: with known answers to ask for, those alone count."""
        return None if self.is_probed else self._answered(now_s)

    def failed(self, detail: str, now_s: float) -> Change | None:
        """It failed a request, or a known question, for reasons of its own."""
        return self._isolate(self.reason or LOST, detail, now_s, anew=True) if self.state is State.PROBATION else None

    def _answered(self, now_s: float) -> Change | None:
        if self.state is not State.PROBATION:
            return None
        self._good += 1
        return self._become(State.READY, now_s) if self._good >= GOOD else None

    def _on_probation(self, now_s: float) -> Change | None:
        self._good = 0
        return self._become(State.PROBATION, now_s, self.reason, self.detail)

    def _isolate(self, reason: str, detail: str, now_s: float, *, anew: bool = False) -> Change | None:
        """``anew``: a finding about one that can be reached: found again, it is waited for again."""
        if self.state is not State.ISOLATED:
            self.times = min(self.times + 1, _MOST_TIMES)
            self.until_s = now_s + self._wait_s(reason)
            return self._become(State.ISOLATED, now_s, reason, detail)
        if anew and now_s >= self.until_s:
            self._again(now_s)
        if reason == self.reason:
            return None
        self.until_s = max(self.until_s, (now_s if anew else self.since_s) + self._wait_s(reason))
        return self._become(State.ISOLATED, now_s, reason, detail)

    def _again(self, now_s: float) -> None:
        self.times = min(self.times + 1, _MOST_TIMES)
        self.until_s = now_s + self._wait_s(self.reason)

    def _wait_s(self, reason: str) -> float:
        return WAITS.get(reason, DEAD).seconds(self.times)

    def _become(self, state: State, now_s: float, reason: str = "", detail: str = "") -> Change | None:
        before, self._told = self._told, state
        self.state, self.reason, self.detail, self.since_s = state, reason, detail, now_s
        self._forgiven_s = now_s
        return Change(before, state, reason, detail)
