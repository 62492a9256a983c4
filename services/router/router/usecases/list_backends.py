"""RPC ListBackends: the workers and what they say of themselves, and what became of them."""

from __future__ import annotations

from router.domain.pool_history import MOST, PoolHistory, StateChange
from router.steps.pool import Pool, Seen


class ListBackends:
    """See the module."""

    def __init__(self, pool: Pool, history: PoolHistory) -> None:
        self._pool = pool
        self._history = history

    def __call__(self, changes: int = 0) -> tuple[list[Seen], list[StateChange]]:
        """Return every worker, by name, and so many of the newest changes of their states."""
        return self._pool.all(), self._history.newest(min(changes, MOST))
