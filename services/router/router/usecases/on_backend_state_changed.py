"""Event BackendStateChanged: an engine's state changed, as the service in front of it saw it.

Surprising: nothing is routed by it. Whom to ask the workers' own word says, sooner; this is the history of the pool for people.
"""

from __future__ import annotations

from router.domain.pool_history import PoolHistory, StateChange


class OnBackendStateChanged:
    """See the module."""

    def __init__(self, history: PoolHistory) -> None:
        self._history = history

    def __call__(self, change: StateChange) -> bool:
        """Note it; False when it is known."""
        return self._history.take(change)
