"""RPC ScoreTransaction: one decision inside the caller's deadline, recorded before it is told.

Raises Conflict (IDEMPOTENCY_CONFLICT), DecisionUnreadable, Unavailable when nothing could be recorded or read, Overloaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from meshkit.errors import Unavailable
from meshkit.telemetry.context import TraceContext

from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.domain.lists import ListsNotRead
from risk_scoring.domain.rules import RulesFailed
from risk_scoring.ports import DecisionPublisher, FeatureStore, StoreForgotten
from risk_scoring.steps.coalesce import Coalescer
from risk_scoring.steps.decide import Decider
from risk_scoring.steps.outage import Outage
from risk_scoring.steps.recall import Recall
from risk_scoring.steps.restore import Restorer
from risk_scoring.steps.timeline import Timeline

_PUBLISH_RESERVE_S = 0.01
_MIN_S = 0.005


class ScoreTransaction:
    """Decides synchronous requests, alone or with what arrives beside them."""

    def __init__(
        self,
        decider: Decider,
        store: FeatureStore,
        restorer: Restorer,
        publisher: DecisionPublisher,
        outage: Outage,
        recall: Recall,
        max_batch: int,
        store_timeout_s: float,
    ) -> None:
        self._decider = decider
        self._store = store
        self._restorer = restorer
        self._publisher = publisher
        self._outage = outage
        self._recall = recall
        self._store_timeout_s = store_timeout_s
        self._coalescer = Coalescer(self._batch, max_batch)

    async def __call__(self, request: Request, remaining_s: float) -> Verdict:
        """Return the verdict that holds for this transaction."""
        until_s = asyncio.get_running_loop().time() + remaining_s
        verdict = await self._coalescer.submit(request, remaining_s)
        if verdict.place is not None:  # read here, alone: who was decided beside it does not wait
            verdict = await self._recall.one(verdict, until_s - asyncio.get_running_loop().time())
        if not verdict.decision:
            raise verdict.refusal
        return verdict

    async def _batch(self, requests: Sequence[Request], remaining_s: float) -> list[Verdict]:
        try:
            async with asyncio.timeout(max(remaining_s, _MIN_S)):
                if self._outage.active:
                    return await self._outage.decide(requests)
                return await self._recorded(requests, remaining_s)
        except TimeoutError:
            raise Unavailable("nothing could be recorded in time", reason="NOT_RECORDED", retry_after_s=0.1) from None

    async def _recorded(self, requests: Sequence[Request], remaining_s: float) -> list[Verdict]:
        """Decide, publish, and make sure that the store still knows: what it forgot meanwhile comes back from the log, which leads."""
        while True:
            timeline = Timeline()
            generation = self._store.generation
            verdicts = await self._decided(requests, remaining_s, timeline)
            if told := [verdict for verdict in verdicts if verdict.decision]:
                with timeline.part("publish"):
                    await self._outage.publish(self._publisher.publish(told))
            try:
                with timeline.part("confirm"):
                    await self._store.confirm(generation)
            except StoreForgotten:
                await self._restorer.ensure()
                continue
            except Unavailable as error:
                self._outage.store_failed(error)
                raise
            for request in requests:
                timeline.record_below(TraceContext(*request.trace))
            return verdicts

    async def _decided(self, requests: Sequence[Request], remaining_s: float, timeline: Timeline) -> list[Verdict]:
        budget_s = max(min(remaining_s - _PUBLISH_RESERVE_S, self._store_timeout_s), _MIN_S)
        try:
            verdicts = await self._decider.decide(requests, remaining_s=budget_s, timeline=timeline)
        except ListsNotRead:
            raise  # that says nothing of the store
        except StoreForgotten as error:
            self._outage.store_forgot(error)
            raise
        except RulesFailed:  # the store is well
            self._outage.store_answered()
            raise
        except Unavailable as error:
            self._outage.store_failed(error)
            raise
        self._outage.store_answered()
        return verdicts
