"""Event TransactionAuthorizationRequested: decide a batch of one partition; the caller publishes what comes out.

Raises Unavailable as long as the store can't be used: the batch waits, its lag says so (rule D22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.ports import FeatureStore, StoreForgotten
from risk_scoring.steps.decide import Decider
from risk_scoring.steps.recall import Recall
from risk_scoring.steps.restore import Restorer
from risk_scoring.steps.timeline import Timeline


class OnTransactionAuthorizationRequested:
    """Decides streamed transactions."""

    def __init__(self, decider: Decider, restorer: Restorer, store: FeatureStore, recall: Recall) -> None:
        self._decider = decider
        self._recall = recall
        self._restorer = restorer
        self._store = store
        self._decided_on: dict[int, str] = {}  # generation of the store by partition

    async def assigned(self, partition: int) -> None:
        """Take a partition over: whatever was decided for it without this process is known before its first record."""
        self._decided_on.pop(partition, None)
        self._recall.forget(partition)
        await self._restorer.take_over(partition)

    async def decide(self, requests: Sequence[Request], published: Mapping[int, int], timeline: Timeline) -> list[Verdict]:
        """Return a verdict for each request, in order."""
        partition = requests[0].partition
        self._decided_on[partition] = self._store.generation
        try:
            verdicts = await self._decider.decide(requests, published=published, timeline=timeline)
        except StoreForgotten:
            await self._restorer.ensure()
            self._decided_on[partition] = self._store.generation
            verdicts = await self._decider.decide(requests, published=published, timeline=timeline)
        return await self._recall.batch(partition, verdicts)

    async def confirm(self, partition: int) -> None:
        """Raise StoreForgotten when the store forgot since the last batch was decided.

        Called while the batch stands in the log uncommitted: a restore that begins later waits for it, one that began before shows here.
        A batch of nothing but dead letters owes the store nothing.
        """
        if partition in self._decided_on:
            await self._store.confirm(self._decided_on[partition])
