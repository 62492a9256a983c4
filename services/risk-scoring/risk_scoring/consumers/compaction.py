"""Rule D25: the decision topic again, some minutes behind, for a store that keeps old decisions by where their records stand.

A sink of `meshkit.events.offsets_in_db` whose database is the feature store. Every stream process runs it, and one of them works: a lease
in the store says whose turn it is. It is an economy and nothing rests on it: position and replacement are one step of the script, which
refuses whoever read from another position.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import uuid4

from meshkit.clock import Clock
from meshkit.crypto.keyed_ids import uuid_text
from meshkit.errors import MeshError, Unavailable
from meshkit.events.message import Record
from meshkit.events.offsets_in_db import Loss, Position
from meshkit.events.poison import NO_POISON, Poison
from meshkit.events.topic_ids import raw_topic_id
from meshkit.telemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from risk_scoring.domain.observation import LoggedDecision, RecordPlace
from risk_scoring.ports import CompactedStore
from risk_scoring.steps.restore import Restorer

log = logging.getLogger(__name__)
_LEASE_S = 15.0
_LOOK_S = 1.0  # how often whoever waits looks whether its time has come


class Compaction:
    """``identify`` gives the decision id of a record's bytes. ``after_s``: how old a record is when it is compared."""

    def __init__(self, store: CompactedStore, restorer: Restorer, identify: Callable[[bytes], bytes], clock: Clock, after_s: float) -> None:
        self._store = store
        self._restorer = restorer
        self._identify = identify
        self._clock = clock
        self._after_s = after_s
        self._owner = uuid4().hex
        self._known: dict[int, str] = {}
        self._late_s = 0.0
        meter = metrics.meter()
        self._compared = meter.create_counter("finmesh.risk.compaction.records", description="records compared with stored decisions")
        self._compared.add(0, {"result": "unequal"})  # an alarm looks for its increase

        def late(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(self._late_s)]

        meter.create_observable_gauge("finmesh.risk.compaction.late", [late], unit="s", description="compared so long after its time")

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each partition goes on, as soon as it is this process's turn. Raises Unavailable."""
        del topic  # there is one
        await self._restorer.ensure()
        while True:
            if await self._store.leads_compaction(self._owner, _LEASE_S):
                break
            await asyncio.sleep(_LOOK_S)
        self._known = await self._store.compacted()
        found = {}
        for partition, position in self._known.items():
            incarnation, _, offset = position.rpartition("@")
            found[partition] = Position(partition, incarnation, int(offset))
        return found

    def read(self, record: Record) -> bool:
        """Say whether a record is a decision."""
        return self._logged(record) is not None

    async def store(
        self, records: Sequence[Record], losses: Sequence[Loss], positions: Sequence[Position], poison: Poison = NO_POISON
    ) -> None:
        """Compare the records of each partition when they are old enough. Raises Unavailable when somebody else does it, or forgot."""
        del poison  # bytes that are no decision are nobody's stored decision
        for loss in losses:
            log.error("decision partition %s: %s, what is kept by its place there can't be read", loss.due.partition, loss.reason)
        await self._old_enough(records)
        began_s = time.perf_counter()
        for position in positions:
            await self._compared_with(position, [each for each in records if each.partition == position.partition])
        if records:
            self._late_s = max(self._clock.now_s() - records[-1].timestamp / 1000 - self._after_s, 0.0)
            await asyncio.sleep(time.perf_counter() - began_s)  # a backlog of it takes half of what this process has to give, at most

    async def _old_enough(self, records: Sequence[Record]) -> None:
        newest_s = max((record.timestamp for record in records), default=0) / 1000
        while True:
            if not await self._store.leads_compaction(self._owner, _LEASE_S):
                raise Unavailable("another process compacts", reason="COMPACTED_ELSEWHERE")
            wait_s = newest_s + self._after_s - self._clock.now_s()
            if wait_s <= 0:
                return
            await asyncio.sleep(min(wait_s, _LOOK_S))

    async def _compared_with(self, position: Position, records: Sequence[Record]) -> None:
        topic_id = raw_topic_id(position.incarnation.partition("+")[0])
        batch, ids = [], []
        for record in records:
            if (decision_id := self._logged(record)) is not None:
                ids.append(decision_id)
                batch.append(LoggedDecision(RecordPlace(topic_id, record.partition, record.offset), record.value))
        before, after = self._known.get(position.partition, ""), f"{position.incarnation}@{position.next_offset}"
        done = await self._store.compact(batch, ids, position.partition, before, after)
        if done.position != after:
            raise Unavailable("another process compacts, or the store forgot", reason="COMPACTED_ELSEWHERE")
        self._known[position.partition] = after
        for decision_id in done.unequal:
            log.error("decision %s is stored with other bytes than its record in partition %s", uuid_text(decision_id), position.partition)
        left = len(batch) - done.replaced - len(done.unequal)
        for result, count in (("replaced", done.replaced), ("unequal", len(done.unequal)), ("left", left)):
            if count:
                self._compared.add(count, {"result": result})

    def _logged(self, record: Record) -> bytes | None:
        """Return the decision id of a record, None for bytes that are no decision."""
        try:
            return self._identify(record.value or b"")
        except (MeshError, ValueError):
            return None
