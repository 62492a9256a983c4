"""Whether the router could answer: a decode worker lives; a prefill worker does, or has had its time to come."""

from __future__ import annotations

from meshkit.clock import Clock
from meshkit.errors import Unavailable

from router import ports
from router.domain.fleet import Role
from router.steps.pool import Pool

_GRACE_S = 5.0
"""How long a router that has just started waits to hear of a prefill worker: else its first prompts would be read elsewhere, marked."""


class Readiness:
    """Probes of `Service.watch`. ``awaits_prefill``: there is a service to hear of."""

    def __init__(self, pool: Pool, texts: ports.Texts, clock: Clock, *, awaits_prefill: bool) -> None:
        self._pool = pool
        self._texts = texts
        self._clock = clock
        self._until_s = clock.monotonic_s() + _GRACE_S if awaits_prefill else 0.0

    async def decode(self) -> None:
        """Raise Unavailable (NO_DECODE_WORKER) while nobody could answer; in the beginning also while no prefill worker is known."""
        if not self._lives(Role.DECODE):
            raise Unavailable("no decode worker lives", reason="NO_DECODE_WORKER")
        if self._lives(Role.PREFILL):
            self._until_s = 0.0
        elif self._clock.monotonic_s() < self._until_s:
            raise Unavailable("no prefill worker has been heard of yet", reason="NO_PREFILL_WORKER")

    async def prefill(self) -> None:
        """Raise Unavailable (NO_PREFILL_WORKER) while prompts can't be read apart."""
        if not self._lives(Role.PREFILL):
            raise Unavailable("no prefill worker lives", reason="NO_PREFILL_WORKER")

    def _lives(self, role: Role) -> bool:
        return any(self._pool.lives(role, model.digest) for model in self._texts.models)
