"""Whether something moves at an engine while work is under way there. Pure; for engines of any kind, beside `backends.liveness` of ours.

Silence is a suspicion and no finding: a long prompt is read in silence, too. Whoever suspects asks a known question. Time in which this
process itself did not run is not held against the engine.
"""

from __future__ import annotations

SILENT_S = 2.5
_STEPS = 10


class Silence:
    """Times are of one monotonic clock."""

    def __init__(self, now_s: float) -> None:
        self._moved_s = now_s
        self._steps = -1

    def moved(self, now_s: float) -> None:
        """Something came of work that was under way, or nothing is."""
        self._moved_s = max(self._moved_s, now_s)

    def heard(self, steps: int, now_s: float) -> None:
        """The engine said how many steps it has done; it may not count any."""
        if steps != self._steps:
            self._steps = steps
            self.moved(now_s)

    def slept(self, seconds: float) -> None:
        """This process did not run for so long."""
        self._moved_s += seconds

    def is_suspicious(self, now_s: float, step_s: float, reading_s: float) -> bool:
        """Whether it is silent for longer than ten steps, and than prompts take (``reading_s``, as far as that is known)."""
        return now_s - self._moved_s > max(SILENT_S, _STEPS * step_s, 4 * reading_s)

    def since(self, then_s: float) -> bool:
        """Whether nothing has moved since a time."""
        return self._moved_s <= then_s
