"""Rule D22: decisions with the event log as the arbiter, while the feature store is down.

It looks for an earlier decision of the same id, decides by rules on the request alone, publishes decision and audit record in one
transaction, reads the partition back and returns the first record of the id. When that may be done is `steps.outage`'s to say.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from meshkit.clock import Clock
from meshkit.errors import Unavailable

from risk_scoring.domain.combine import Combiner, Scores
from risk_scoring.domain.decision import NO_FEATURES, RULES_ONLY, Request, Verdict
from risk_scoring.domain.horizon import FUTURE_S
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.ports import Codec, OutageLog
from risk_scoring.steps.decide import no_features


class LogDecider:
    """Decides without the store, on partitions that this process holds."""

    def __init__(self, outage_log: OutageLog, combiner: Combiner, codec: Codec, snapshot: Callable[[], Snapshot], clock: Clock) -> None:
        self._log = outage_log
        self._combiner = combiner
        self._codec = codec
        self._snapshot = snapshot
        self._clock = clock
        self._one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)  # by partition

    async def decide(self, requests: Sequence[Request]) -> list[Verdict]:
        """Return a verdict for each request. Raises Unavailable when nothing can be recorded; then nothing is answered."""
        places: dict[int, list[Request]] = defaultdict(list)
        for request in requests:
            places[await self._log.partition_of(request.transaction.account_id)].append(request)
        parts = await asyncio.gather(*(self._decide_in(*place) for place in places.items()), return_exceptions=True)
        found: dict[bytes, Verdict] = {}
        for part in parts:
            if isinstance(part, BaseException):
                raise part
            found |= part
        return [found[request.decision_id] for request in requests]

    async def _decide_in(self, partition: int, requests: Sequence[Request]) -> dict[bytes, Verdict]:
        """Decide what no record of the partition decides. One batch at a time: between looking and writing nobody else may write."""
        ids = [request.decision_id for request in requests]
        async with self._one_at_a_time[partition]:
            first = await self._log.first(partition, ids)
            since_s = self._log.since_s(partition) + FUTURE_S  # an event may be this much younger than its decision
            missing = [request for request in requests if request.decision_id not in first]
            if any(request.observation.time_s < since_s for request in missing):
                raise Unavailable("it may have been decided before the log was read", reason="OUTAGE_LOOKBACK", retry_after_s=1.0)
            drafts = [Verdict(request, *self._by_rules(request)) for request in missing]
            if drafts:
                await self._log.publish(partition, drafts)
                first = await self._log.first(partition, ids)
        own = {draft.request.decision_id: draft for draft in drafts}
        return {request.decision_id: self._verdict(request, first.get(request.decision_id), own) for request in requests}

    def _verdict(self, request: Request, first: bytes | None, own: Mapping[bytes, Verdict]) -> Verdict:
        """Return what the log says of a request, whoever wrote it."""
        if first is None:
            raise Unavailable("the decision could not be read back", reason="NOT_RECORDED")
        draft = own.get(request.decision_id)
        if draft is not None and draft.decision == first:
            return draft
        if self._codec.fingerprint(first) != request.observation.fingerprint:
            return Verdict(request, b"", b"", conflict=True)
        return Verdict(request, first, b"", replayed=True)

    def _by_rules(self, request: Request) -> tuple[bytes, bytes]:
        scores = Scores(np.array([np.nan]), (NO_FEATURES, RULES_ONLY))
        drafts, capped = self._combiner.combine([request], no_features(1), scores, self._snapshot().complete(), self._clock.now_s(), [()])
        draft = capped[0] or drafts[0]  # the cap can't be counted now: the milder form holds
        decision = self._codec.decision(draft)
        return decision, self._codec.audit(draft, decision)
