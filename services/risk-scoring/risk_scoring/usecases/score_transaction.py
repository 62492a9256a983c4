"""RPC ScoreTransaction: one decision inside the caller's deadline, recorded before it is told.

Raises Conflict (IDEMPOTENCY_CONFLICT), Unavailable when nothing could be recorded, Overloaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from meshkit.errors import Conflict, Unavailable
from meshkit.telemetry.context import TraceContext

from risk_scoring.domain.decision import Request, Verdict
from risk_scoring.ports import DecisionPublisher, StoreForgotten
from risk_scoring.steps.coalesce import Coalescer
from risk_scoring.steps.decide import Decider
from risk_scoring.steps.outage import Outage
from risk_scoring.steps.timeline import Timeline

_PUBLISH_RESERVE_S = 0.01


class ScoreTransaction:
    """Decides synchronous requests, alone or with what arrives beside them."""

    def __init__(self, decider: Decider, publisher: DecisionPublisher, outage: Outage, most: int, store_timeout_s: float) -> None:
        self._decider = decider
        self._publisher = publisher
        self._outage = outage
        self._store_timeout_s = store_timeout_s
        self._coalescer = Coalescer(self._batch, most)

    async def __call__(self, request: Request, remaining_s: float) -> Verdict:
        """Return the verdict that holds for this transaction."""
        verdict = await self._coalescer.submit(request, remaining_s)
        if verdict.conflict:
            raise Conflict("the same transaction came with other content")
        return verdict

    async def _batch(self, requests: Sequence[Request], remaining_s: float) -> list[Verdict]:
        if self._outage.active:
            return await self._outage.decide(requests)
        timeline = Timeline()
        budget_s = max(min(remaining_s - _PUBLISH_RESERVE_S, self._store_timeout_s), 0.005)
        try:
            verdicts = await self._decider.decide(requests, remaining_s=budget_s, timeline=timeline)
        except StoreForgotten as error:
            self._outage.store_forgot(error)
            raise
        except Unavailable as error:
            self._outage.store_failed(error)
            raise
        self._outage.store_answered()
        with timeline.part("publish"):
            await self._publisher.publish([verdict for verdict in verdicts if not verdict.conflict])
        for request in requests:
            timeline.record_below(TraceContext(*request.trace))
        return verdicts
