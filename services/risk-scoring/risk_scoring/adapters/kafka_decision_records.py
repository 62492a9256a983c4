"""Single decision records by topic id, partition and offset (rule D25).

One reader, one reading after the other: records of a partition that lie close together come with one fetch. Fetches are limited, so that a
day of old decisions that is sent again costs the broker no more than that. What the callers' time is too short for goes on without them,
since a client of Kafka that is broken off in the middle has to be made anew; only so many may wait.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping

from meshkit.config import KafkaSettings
from meshkit.errors import MeshError, Overloaded
from meshkit.events.clients import event_log_down
from meshkit.events.replay import TopicReader
from meshkit.events.topic_ids import raw_topic_id

from risk_scoring.domain.observation import RecordPlace
from risk_scoring.translate.messages import DECISION_TOPIC

_FETCH_BYTES = 65_536  # some dozens of decisions; the broker sends one whole batch at least
_WAITING = 256
_Found = dict[RecordPlace, bytes | None]


class KafkaDecisionRecords:
    """``aclose`` it. ``fetches_per_s``: at most, so many at once after a pause."""

    def __init__(self, kafka: KafkaSettings, fetches_per_s: int) -> None:
        self._kafka = kafka
        self._rate = fetches_per_s
        self._spent_until_s = 0.0  # event loop time up to which fetches are given away
        self._reader: TopicReader | None = None
        self._one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Close the connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._dropped()

    async def read(self, places: Collection[RecordPlace], within_s: float) -> Mapping[RecordPlace, bytes | None]:
        """Return the records' bytes, None for what is gone for good; what could not be read in time is left out, but not all of it.

        Raises Unavailable (EVENT_LOG_DOWN), Overloaded (DECISION_READS_LIMITED).
        """
        if len(self._tasks) >= _WAITING:
            raise _limited()
        found: _Found = {}
        task = asyncio.create_task(self._run(places, found, asyncio.get_running_loop().time() + within_s), name="decision records")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=within_s)
        error = task.exception() if task.done() and not task.cancelled() else None
        if not found:
            raise error or event_log_down()
        return dict(found)

    async def _run(self, places: Collection[RecordPlace], found: _Found, until_s: float) -> None:
        async with self._one:
            if asyncio.get_running_loop().time() >= until_s:
                return  # nobody waits for it any more
            try:
                await self._read(places, found, until_s)
            except Overloaded:
                raise
            except MeshError:
                await self._dropped()
                raise

    async def _read(self, places: Collection[RecordPlace], found: _Found, until_s: float) -> None:
        if self._reader is None:
            self._reader = TopicReader(self._kafka, DECISION_TOPIC, _FETCH_BYTES)
        reader = self._reader
        topic_id = raw_topic_id(await reader.topic_id())
        by_partition: defaultdict[int, dict[int, RecordPlace]] = defaultdict(dict)
        known = await reader.partitions()
        for place in places:
            if place.topic_id != topic_id or place.partition not in known:
                found[place] = None
            else:
                by_partition[place.partition][place.offset] = place

        async def admit() -> None:
            await self._admit(until_s)

        for partition, wanted in by_partition.items():
            async for offset, record in reader.at(partition, wanted, admit):
                found[wanted[offset]] = None if record is None else record.value

    async def _admit(self, until_s: float) -> None:
        """Wait for a fetch. Raises Overloaded when there is none in time."""
        now_s = asyncio.get_running_loop().time()
        at_s = max(self._spent_until_s, now_s - 1.0) + 1 / self._rate
        if max(at_s, now_s) >= until_s:
            raise _limited()
        self._spent_until_s = at_s
        if at_s > now_s:
            await asyncio.sleep(at_s - now_s)

    async def _dropped(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.aclose()


def _limited() -> Overloaded:
    return Overloaded("too many old decisions are asked for", reason="DECISION_READS_LIMITED", retry_after_s=0.5)
