"""What waits for the encoder, and what is run next: questions before passages, each in the order in which they came.

A run is rows side by side, as wide as the longest of them, of at most so many pieces in all: a question that comes while passages are run
waits for one run. On CPUs runs of 256 pieces are as fast a piece as any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(slots=True, eq=False)
class Work:
    """One request. ``answer``: told of its vectors, or of what went wrong, once."""

    rows: list[I64]
    is_query: bool
    answer: Callable[[F32 | Exception], None]
    vectors: list[F32 | None] = field(default_factory=list)
    left: int = 0

    def __post_init__(self) -> None:
        self.vectors, self.left = [None] * len(self.rows), len(self.rows)

    @property
    def pieces(self) -> int:
        return sum(len(row) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Row:
    """Row ``at`` of a request."""

    work: Work
    at: int

    @property
    def ids(self) -> I64:
        return self.work.rows[self.at]


class Waiting:
    """Not thread-safe: who uses it holds a lock."""

    def __init__(self) -> None:
        self._queries: deque[Row] = deque()
        self._passages: deque[Row] = deque()
        self.pieces = 0

    def add(self, work: Work) -> None:
        (self._queries if work.is_query else self._passages).extend(Row(work, at) for at in range(len(work.rows)))
        self.pieces += work.pieces

    def next_run(self, most_pieces: int) -> list[Row]:
        """Take the rows of the next run, at least one; empty when nothing waits."""
        queue = self._queries or self._passages
        run: list[Row] = []
        width = 0
        while queue and (not run or max(width, len(queue[0].ids)) * (len(run) + 1) <= most_pieces):
            row = queue.popleft()
            width = max(width, len(row.ids))
            self.pieces -= len(row.ids)
            run.append(row)
        return run

    def drop(self, work: Work) -> None:
        """Forget what is left of a request."""
        for queue in (self._queries, self._passages):
            kept = [row for row in queue if row.work is not work]
            self.pieces -= sum(len(row.ids) for row in queue) - sum(len(row.ids) for row in kept)
            queue.clear()
            queue.extend(kept)

    def everything(self) -> list[Work]:
        """Take all requests."""
        found = dict.fromkeys(row.work for row in (*self._queries, *self._passages))
        self._queries.clear()
        self._passages.clear()
        self.pieces = 0
        return list(found)
