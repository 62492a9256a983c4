"""Rules D8 and D9: make the feature store know again what was published, before it is used.

Two occasions. *The store forgot* (restart, failover, flush): nobody may use it until every decision after its last known offset is back,
so its generation is withdrawn first. *A partition is taken over*: what another process published without the store (rule D22) is put back
before the stream goes on; others may go on meanwhile. The lock lets one process restore at a time; the scripts make it idempotent.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

from meshkit.errors import FailedPrecondition, MeshError

from risk_scoring.domain.horizon import FUTURE_S
from risk_scoring.domain.observation import LoggedDecision, RestoredRecord
from risk_scoring.ports import DecisionLog, RestorableStore, RestoreTarget

log = logging.getLogger(__name__)
_WAIT_S = 0.1
_RENEW_S = 1.5


class Restorer:
    """Restores the store from the decision log. ``translate`` turns a record's bytes into what the store needs.

    ``by_place_s``: decisions are kept by their place for so long (rule D25); their records have to stay for longer. None: by their bytes.
    """

    def __init__(
        self,
        link: RestorableStore,
        store: RestoreTarget,
        decisions: DecisionLog,
        translate: Callable[[bytes], RestoredRecord],
        by_place_s: float | None = None,
    ) -> None:
        self._by_place_s = by_place_s
        self._kept_s = 0.0
        self._link = link
        self._store = store
        self._decisions = decisions
        self._translate = translate
        self._running = asyncio.Lock()
        self._restored: str | None = None  # the generation that knows all that this process published before

    async def ensure(self) -> None:
        """Return when the store can be trusted. Raises Unavailable when store or log can't be reached.

        Raises FailedPrecondition (RETENTION_TOO_SHORT) when decisions are kept by their place and their records are not kept for as long.
        """
        async with self._running:
            await self._check_retention()
            while not (await self._link.adopt() and self._link.generation == self._restored):
                async with self._locked() as token:
                    await self._restore(token)

    async def _check_retention(self) -> None:
        """Look, once, at how long the topic keeps its records. An event may be younger than its decision by what clocks may be ahead."""
        if self._by_place_s is None or self._kept_s > self._by_place_s + FUTURE_S:
            return
        self._kept_s = await self._decisions.kept_s()
        if self._kept_s <= self._by_place_s + FUTURE_S:
            kept = "by size or key" if self._kept_s == 0 else f"after {math.floor(self._kept_s)} s"
            raise FailedPrecondition(
                f"the decision topic drops records {kept}: it has to keep them for more than {math.ceil(self._by_place_s + FUTURE_S)} s",
                reason="RETENTION_TOO_SHORT",
            )

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[str]:
        """Wait to be the one who restores; yields the lock's token."""
        while True:
            token = await self._link.lock()
            if token is not None:
                break
            await asyncio.sleep(_WAIT_S)
        done = asyncio.Event()
        renewing = asyncio.create_task(self._renew(token, done), name="restore lock")
        try:
            yield token
        finally:
            done.set()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._link.unlock(token)

    async def _renew(self, token: str, done: asyncio.Event) -> None:
        """Keep a lock that is short, because it outlives its holder. Whoever loses it is refused by the script."""
        with suppress(MeshError):
            while not done.is_set():
                await self._link.hold(token)
                with suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), _RENEW_S)

    async def answers(self, within_s: float) -> bool:
        """Say whether the store answers at all, restored or not."""
        try:
            async with asyncio.timeout(within_s):
                await self._link.adopt()
        except (MeshError, TimeoutError):
            return False
        return True

    async def _restore(self, token: str) -> None:
        """Restore the store, or look for what was published after somebody else's restore: a decision of ours, perhaps."""
        restored = await self._link.adopt()
        if not restored:
            await self._link.invalidate()
        for partition in await self._decisions.partitions():
            await self._partition(token, partition)
        if not restored:
            await self._link.publish_generation()
        self._restored = self._link.generation

    async def take_over(self, partition: int) -> None:
        """Put back what was published to one partition since the store last knew. Raises Unavailable."""
        await self.ensure()
        async with self._running, self._locked() as token:
            await self._partition(token, partition)

    async def take_over_all(self) -> None:
        """Put back what was published to any partition since the store last knew. Raises Unavailable."""
        for partition in await self._decisions.partitions():
            await self.take_over(partition)

    async def _partition(self, token: str, partition: int) -> None:
        first = await self._store.published_offset(partition) + 1
        seen: set[bytes] = set()
        decisions = deltas = 0
        async for records, next_offset in self._decisions.read(partition, first):
            await self._link.hold(token)
            fresh = []
            for record in self._readable(records, partition, next_offset):
                if record.observation.decision_id not in seen:  # the first record of an id is the decision
                    seen.add(record.observation.decision_id)
                    fresh.append(record)
            restored, replayed = await self._store.restore(token, fresh, partition, next_offset, first)
            first = next_offset
            decisions, deltas = decisions + restored, deltas + replayed
        if decisions or deltas:
            log.info("restored partition %s up to offset %s: %s decisions, %s deltas", partition, first, decisions, deltas)

    def _readable(self, records: Sequence[LoggedDecision], partition: int, next_offset: int) -> Iterator[RestoredRecord]:
        """Translate; bytes that are no decision record are left out: they must not keep the store down."""
        for record in records:
            try:
                restored = self._translate(record.decision)
                yield restored if self._by_place_s is None else restored._replace(place=record.place)
            except (MeshError, ValueError):
                log.error("partition %s holds bytes before offset %s that are no decision record", partition, next_offset)
