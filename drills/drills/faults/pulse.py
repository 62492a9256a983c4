"""When decisions flow again at the rate at which transactions come. Pure: samples in, yes or no out.

A signal counts what came in and what came out. It flows when, over the last second, as much came out as came in (a tenth less is
noise). While a backlog is worked off, more comes out than in, so flowing does not mean that the backlog is gone.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW_S = 1.0
ENOUGH = 0.9


@dataclass
class Pulse:
    """Samples of the last few seconds. `beat` wants (in, out) counts of every signal, which never fall."""

    _samples: deque[tuple[float, dict[str, tuple[int, int]]]] = field(default_factory=lambda: deque(maxlen=200))

    def beat(self, now_s: float, counts: Mapping[str, tuple[int, int]]) -> None:
        """Add a sample."""
        self._samples.append((now_s, dict(counts)))

    def stalled(self, since_s: float) -> list[str]:
        """Signals that have not flowed for a whole window that began at `since_s` or later; all of them before there is such a window."""
        if not self._samples:
            return ["nothing was counted yet"]
        now_s, last = self._samples[-1]
        first = next((counts for at_s, counts in reversed(self._samples) if at_s <= now_s - WINDOW_S and at_s >= since_s), None)
        if first is None:
            return list(last)
        return [name for name, (came, went) in last.items() if went - first[name][1] < ENOUGH * (came - first[name][0])]
