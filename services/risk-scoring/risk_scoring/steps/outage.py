"""Rule D22: decisions while the feature store is down.

The event log is the arbiter then. This process takes the right to answer each partition from the stream (it initialises the partition's
transactional id, which fences whoever held it), looks for an earlier decision of the same id, decides by rules on the request alone,
publishes decision and audit record in one transaction, reads the partition back and returns the first record of the id. The stream,
fenced, has to take the partition over again before it goes on, and so learns what was decided here. The way back is the same for this
process: restore first, then use the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence

import numpy as np
from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable
from meshkit.service import Service

from risk_scoring.domain.combine import Combiner, Scores
from risk_scoring.domain.decision import NO_FEATURES, RULES_ONLY, Request, Verdict
from risk_scoring.domain.horizon import FUTURE_S
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.ports import Codec, OutageLog
from risk_scoring.steps.decide import no_features
from risk_scoring.steps.restore import Restorer

log = logging.getLogger(__name__)
_PROBE_S = 0.2
_ANSWER_S = 0.2  # within which a store that is up answers
_TOO_SLOW_S = 2.0  # of nothing but late answers: for calls that is as good as down


class Outage:
    """Knows whether the store is down, decides without it meanwhile, and finds the way back."""

    def __init__(
        self,
        outage_log: OutageLog,
        restorer: Restorer,
        combiner: Combiner,
        codec: Codec,
        snapshot: Callable[[], Snapshot],
        clock: Clock,
        health: Service,
        after_s: float,
    ) -> None:
        self._log = outage_log
        self._restorer = restorer
        self._combiner = combiner
        self._codec = codec
        self._snapshot = snapshot
        self._clock = clock
        self._health = health
        self._after_s = after_s
        self._failing_since_s: float | None = None
        self._failed_last_s = 0.0
        self._doubting: asyncio.Task[None] | None = None
        self._way_back: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._deciding = 0
        self._closing = False
        self._nobody = asyncio.Event()
        self._publishing: set[asyncio.Task[None]] = set()
        self._one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)  # by partition

    @property
    def active(self) -> bool:
        """Whether the store must not be used now."""
        return self._way_back is not None

    def store_answered(self) -> None:
        """Note that the store works."""
        self._failing_since_s = None

    def store_failed(self, error: MeshError) -> None:
        """Note a failure. The outage begins when the store does not answer at all any more, or was too slow for every call for long.

        A call has little time, and a busy store may be late for a few: to take the partitions from the stream for that makes it worse.
        """
        now_s = self._clock.monotonic_s()
        if self._failing_since_s is None or now_s - self._failed_last_s > _TOO_SLOW_S:
            self._failing_since_s = now_s
        self._failed_last_s = now_s
        failing_s = now_s - self._failing_since_s
        if self.active or failing_s < self._after_s:
            return
        if failing_s >= _TOO_SLOW_S:
            self._begin(error.reason)
        elif self._doubting is None or self._doubting.done():
            self._doubting = asyncio.create_task(self._doubt(error.reason), name="doubt")

    async def _doubt(self, reason: str) -> None:
        if not await self._restorer.answers(_ANSWER_S) and not self.active:
            self._begin(reason)

    def _begin(self, reason: str) -> None:
        self._health.degraded("redis", reason)
        self._way_back = asyncio.create_task(self._return(), name="way back from the outage")

    def store_forgot(self, error: MeshError) -> None:
        """Note that the store answers but has to be restored first; begins to restore it."""
        self.store_failed(error)
        if self._restoring is None or self._restoring.done():
            self._restoring = asyncio.create_task(self._restore(), name="restore")

    async def _restore(self) -> None:
        try:
            await self._restorer.ensure()
        except MeshError as again:
            log.info("the feature store can't be restored yet: %s", again.reason)

    async def _return(self) -> None:
        """Take the partitions, then try until the store is restored and knows everything decided meanwhile."""
        taken = False
        while True:
            try:
                if not taken:
                    await self._settled()
                    await self._log.enter()
                    taken = True
                await self._restorer.ensure()
                await self._closed()
                await self._restorer.take_over_all()
                break
            except MeshError as error:
                self._closing = False
                log.info("the feature store is still down: %s", error.reason)
                await asyncio.sleep(_PROBE_S)
        self._failing_since_s = None
        self._way_back = None
        self._closing = False
        await self._log.leave()
        self._health.recovered("redis")

    async def publish(self, work: Coroutine[None, None, None]) -> None:
        """Run what writes the store's decisions, unless the store may not be used any more. Raises Unavailable then, and its errors.

        A caller that gives up does not stop it: what is on its way may arrive, and the outage must not begin before it has.
        """
        if self.active:
            work.close()
            raise Unavailable("the feature store went away", reason="NOT_RECORDED", retry_after_s=0.2)
        task = asyncio.create_task(work, name="publish")
        self._publishing.add(task)
        task.add_done_callback(self._published)
        await asyncio.shield(task)

    def _published(self, task: asyncio.Task[None]) -> None:
        self._publishing.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it was told; nobody may wait any more

    async def _settled(self) -> None:
        """Wait until nothing that the store decided is on its way to the log: it could come after what is decided without the store."""
        if self._publishing:
            await asyncio.wait(self._publishing)

    async def _closed(self) -> None:
        """Let no more decisions begin and wait for those that run: after the take-over nothing may be decided that the store misses."""
        self._closing = True
        while self._deciding:
            self._nobody.clear()
            await self._nobody.wait()

    async def aclose(self) -> None:
        """Stop looking for the way back."""
        tasks = [task for task in (self._way_back, self._restoring, self._doubting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._log.leave()

    async def decide(self, requests: Sequence[Request]) -> list[Verdict]:
        """Decide without the store. Raises Unavailable when nothing can be recorded; then nothing is answered."""
        if self._closing or not self.active:
            raise Unavailable("the feature store is coming back", reason="STORE_NOT_RESTORED", retry_after_s=0.1)
        self._deciding += 1
        try:
            places: dict[int, list[Request]] = defaultdict(list)
            for request in requests:
                places[await self._log.partition_of(request.transaction.account_id)].append(request)
            parts = await asyncio.gather(*(self._decide_in(*place) for place in places.items()), return_exceptions=True)
        finally:
            self._deciding -= 1
            if not self._deciding:
                self._nobody.set()
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
