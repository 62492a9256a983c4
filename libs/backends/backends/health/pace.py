"""Whether an engine takes far longer than it did, or than its peers do now. Pure.

What is measured is seconds for a unit of work: a token that was waited for, or a known prompt that was read. Each is compared with the
median of what such units took when as many rows ran, so that a full batch is not taken for a slow engine.

Surprising:

- Three things must come together: a median far above the engine's own (or above its peers' medians), a floor in absolute time, and
  several units over some time. Below the floor nobody is slow: an idle engine on a shared machine stumbles by such factors all day.
- When the peers have slowed down as well it is the machine, and nobody is slow.
- What is slow does not become what is usual: units are taken into the engine's own only once they were found not to be.
- A unit that overlaps a moment in which this process itself did not run is not counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

RECENT_S = 5.0
FEWEST, SPAN_S = 4, 1.0
"""So many recent units, over so long, before anything is said of them: the last so many are recent however old they are."""
KNOWN = 6
"""So many units make what is usual."""
_KEPT, _KEPT_RECENT = 64, 256


@dataclass(frozen=True, slots=True)
class Bounds:
    """``factor``: times what is usual; ``floor_s``: of a unit."""

    factor: float = 5.0
    floor_s: float = 0.25


@dataclass(frozen=True, slots=True)
class _Unit:
    at_s: float
    seconds: float
    bucket: int


@dataclass(slots=True)
class Pace:
    """The units of one incarnation."""

    bounds: Bounds = field(default_factory=Bounds)
    _recent: deque[_Unit] = field(default_factory=lambda: deque(maxlen=_KEPT_RECENT))
    _usual: dict[int, deque[float]] = field(default_factory=dict)
    _stalled_s: float = float("-inf")

    @property
    def is_known(self) -> bool:
        """Whether enough units were seen to tell what is usual."""
        return sum(len(units) for units in self._usual.values()) >= KNOWN

    def add(self, seconds: float, rows: int, begun_s: float, now_s: float) -> None:
        """Note a unit that began then and took so long (``seconds``), while so many rows ran."""
        if begun_s >= self._stalled_s:
            self._recent.append(_Unit(now_s, seconds, max(1, rows).bit_length()))

    def stalled(self, now_s: float) -> None:
        """This process did not run until now: what is under way, and what has just been measured, says nothing."""
        self._stalled_s = now_s
        self._recent.clear()

    def anew(self) -> None:
        """It gets another chance: what it took until now is forgotten, what is usual is not."""
        self._recent.clear()

    def settle(self, now_s: float) -> None:
        """Take what is no longer recent for usual, unless it is suspicious."""
        while len(self._recent) > FEWEST and self._recent[0].at_s < now_s - RECENT_S:
            unit = self._recent.popleft()
            usual = self._expected_s(unit.bucket) if self.is_known else 0.0
            if not usual or unit.seconds <= max(self.bounds.floor_s, usual * self.bounds.factor / 2):
                self._usual.setdefault(unit.bucket, deque(maxlen=_KEPT)).append(unit.seconds)

    def recent_s(self) -> float:
        """Return the median of the recent units; 0 while there are too few."""
        units = self._recent
        if len(units) < FEWEST or units[-1].at_s - units[0].at_s < SPAN_S:
            return 0.0
        return median(unit.seconds for unit in units)

    def ratio(self) -> float:
        """Return how many times longer than usual the recent units took, their median; 0 when that can't be said."""
        if not self.recent_s() or not self.is_known:
            return 0.0
        return median(unit.seconds / self._expected_s(unit.bucket) for unit in self._recent)

    def slowness(self, peers: Sequence[Pace]) -> str:
        """Return in words how slow it is, empty when it is not. ``peers``: of engines of the same model and role, without this one."""
        own_s, factor = self.recent_s(), self.bounds.factor
        if own_s <= self.bounds.floor_s:
            return ""
        ratio, ratios = self.ratio(), [each for peer in peers if (each := peer.ratio())]
        if ratio > factor and not (ratios and median(ratios) > factor / 2):
            return f"{own_s:.3f} s a unit, {ratio:.1f} times its usual"
        others = [each for peer in peers if (each := peer.recent_s())]
        if others and own_s > factor * median(others) and self._rows() <= 2 * max(peer._rows() for peer in peers):
            return f"{own_s:.3f} s a unit, {own_s / median(others):.1f} times its peers'"
        return ""

    def is_paced(self, seconds: float) -> bool:
        """Whether one unit is as fast as it should be, of an engine that runs nothing else."""
        usual = self._expected_s(1) if self.is_known else 0.0
        return seconds <= max(self.bounds.floor_s, usual * self.bounds.factor / 2)

    def _rows(self) -> int:
        return max((1 << unit.bucket for unit in self._recent), default=1)

    def _expected_s(self, bucket: int) -> float:
        """The usual time of this many rows: their own median, else that of fewer rows times as many, else that of more."""
        known = {each: median(units) for each, units in self._usual.items() if units}
        if bucket in known:
            return max(known[bucket], 1e-6)
        fewer = [each for each in known if each < bucket]
        if fewer:
            return float(max(known[max(fewer)] * 2 ** (bucket - max(fewer)), 1e-6))
        return max(known[min(known)], 1e-6) if known else 0.0
