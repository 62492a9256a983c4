"""RPC ListBackends: the workers and what they say of themselves."""

from __future__ import annotations

from router.steps.pool import Pool, Seen


class ListBackends:
    """See the module."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __call__(self) -> list[Seen]:
        """Return every worker, by name."""
        return self._pool.all()
