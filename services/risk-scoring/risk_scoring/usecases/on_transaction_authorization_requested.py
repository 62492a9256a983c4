"""Event TransactionAuthorizationRequested: decide a batch of one partition; the caller publishes what comes out.

Raises Unavailable as long as the store can't be used: the batch waits, its lag says so (rule D22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.ports import StoreForgotten
from risk_scoring.steps.decide import Decider
from risk_scoring.steps.restore import Restorer
from risk_scoring.steps.timeline import Timeline


class OnTransactionAuthorizationRequested:
    """Decides streamed transactions."""

    def __init__(self, decider: Decider, restorer: Restorer) -> None:
        self._decider = decider
        self._restorer = restorer

    async def assigned(self, partition: int) -> None:
        """Take a partition over: whatever was decided for it without this process is known before its first record."""
        await self._restorer.take_over(partition)

    async def decide(self, requests: Sequence[Request], published: Mapping[int, int], timeline: Timeline) -> list[Verdict]:
        """Return a verdict for each request, in order."""
        try:
            return await self._decider.decide(requests, published=published, timeline=timeline)
        except StoreForgotten:
            await self._restorer.ensure()
            return await self._decider.decide(requests, published=published, timeline=timeline)
