"""What became of the engines: changes of their states, the newest in memory.

Surprising: a change is known by who saw it, of which engine, and its number there. One that was told twice counts once; the topic keeps
the order of each engine, so the last number of each is all that has to be remembered.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

MOST = 10_000
_MOST_SEERS = 10_000


@dataclass(frozen=True, slots=True)
class StateChange:
    """``seer``: service and instance; ``number``: from 1, of that seer for that worker; ``told``: all of it, as it was told."""

    worker: str
    seer: tuple[str, str]
    number: int
    told: bytes


class PoolHistory:
    """At most ``most`` changes, in the order in which they were told."""

    def __init__(self, most: int = MOST) -> None:
        self._changes: deque[StateChange] = deque(maxlen=most)
        self._last: OrderedDict[tuple[str, tuple[str, str]], int] = OrderedDict()
        self.missed = 0
        """Numbers that were passed over: changes that were never told."""

    def take(self, change: StateChange) -> bool:
        """Note a change; False when it is known."""
        key = change.worker, change.seer
        last = self._last.pop(key, None)
        self._last[key] = max(change.number, last or 0)
        if len(self._last) > _MOST_SEERS:
            self._last.popitem(last=False)
        if last is not None and change.number <= last:
            return False
        if last is not None:
            self.missed += change.number - last - 1
        self._changes.append(change)
        return True

    def newest(self, count: int) -> list[StateChange]:
        """Return so many of the newest, the oldest of them first."""
        return list(self._changes)[-count:] if count > 0 else []
