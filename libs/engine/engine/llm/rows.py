"""Who holds which row of the KV memory. Pure.

A row is given to one holder at a time, the lowest free one first, because a decode step computes all rows up to the highest in use.
Nothing is moved: a row stays where it is from its first token, or the first byte of a pull into it, to its end.

Surprising: a row may be pinned by who reads or writes it beside the loop (a pack, a pull). Given back meanwhile, it is free only when the
last pin is gone: else a late writer would write into somebody else's answer.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable


class Rows:
    """``count`` rows, numbered from 0. Not thread-safe: the engine's lock is held around it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = list(range(count))
        self._holders: dict[int, str] = {}
        self._pins: dict[int, int] = {}
        self._leaving: set[int] = set()

    @property
    def free(self) -> int:
        """How many can be taken."""
        return len(self._free)

    @property
    def used(self) -> int:
        """How many can't."""
        return self.count - len(self._free)

    def take(self, holder: str, count: int = 1) -> list[int] | None:
        """Return the lowest ``count`` free rows, now the holder's, or None: all or nothing, so that two who wait can't block each other."""
        if count > len(self._free):
            return None
        rows, self._free = self._free[:count], self._free[count:]
        self._holders.update((row, holder) for row in rows)
        return rows

    def pass_on(self, row: int, holder: str) -> None:
        """Name another holder of a row that is held."""
        if row not in self._holders or row in self._leaving:
            raise ValueError(f"row {row} is not held")
        self._holders[row] = holder

    def give_back(self, rows: Iterable[int]) -> None:
        """Free rows, pinned ones when their last pin goes. Raises ValueError on one that is not held: that is a bug, never a race."""
        for row in rows:
            if row not in self._holders or row in self._leaving:
                raise ValueError(f"row {row} is not held")
            if self._pins.get(row):
                self._leaving.add(row)
            else:
                self._release(row)

    def pin(self, row: int) -> None:
        """Keep a held row from being given to others."""
        if row not in self._holders or row in self._leaving:
            raise ValueError(f"row {row} is not held")
        self._pins[row] = self._pins.get(row, 0) + 1

    def unpin(self, row: int) -> None:
        """Take one pin away."""
        left = self._pins[row] - 1
        if left:
            self._pins[row] = left
            return
        del self._pins[row]
        if row in self._leaving:
            self._leaving.discard(row)
            self._release(row)

    def held(self) -> dict[int, str]:
        """Return the holder of every row that is not free; of one that waits for its last pin alone, with that said."""
        return {row: f"{holder} (given back, pinned)" if row in self._leaving else holder for row, holder in sorted(self._holders.items())}

    def pinned(self) -> dict[int, int]:
        """Return the pins of each row that has any."""
        return dict(self._pins)

    def _release(self, row: int) -> None:
        del self._holders[row]
        insort(self._free, row)
