"""Where a tenant's weights are kept."""

from __future__ import annotations

from typing import Protocol

from rag.domain.tuning import Tuning


class Tunings(Protocol):
    """Versioned configuration of rankings. Every version stays."""

    async def current(self, tenant: str) -> Tuning:
        """Return the newest, or the default."""
        ...

    async def record(self, tenant: str, tuning: Tuning, report: str, recorded_by: str, now_us: int) -> Tuning:
        """Keep it as the next version and return it so. report: JSON of what the probes showed."""
        ...
