"""Watches decisions as a bank does: committed ones only, first record of an id wins, repeated bytes are harmless, other bytes are an alarm.

Latency runs from the intended send time to the moment the decision could be read, transaction commit included. Start the watcher before the
producer: it reads from the end of the topic as it was then.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import UnknownTopicOrPartitionError
from finmesh.risk.v1 import decision_pb2 as pb

DECIDED = pb.TransactionDecided.DESCRIPTOR.full_name


@dataclass
class Seen:
    """What came out."""

    records: int = 0
    repeated: int = 0
    contradictory: int = 0  # same id, other bytes
    degraded: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    digests: dict[str, int] = field(default_factory=dict)  # decision id to hash of its bytes
    first_seen_us: int = 0

    @property
    def decided(self) -> int:
        """Distinct decisions."""
        return len(self.digests)

    def latency_ms(self, quantile: float) -> float:
        """A quantile of the latency in milliseconds; NaN when nothing was timed."""
        return float(np.quantile(self.latencies_s, quantile) * 1e3) if self.latencies_s else float("nan")

    def observe(self, record: bytes, now_us: int, intended_us: Mapping[bytes, int]) -> None:
        """Count one decision record; `intended_us` maps trace ids of requests to their intended send times."""
        decision = pb.TransactionDecided.FromString(record)
        self.records += 1
        digest = hash(record)
        known = self.digests.setdefault(decision.decision_id, digest)
        self.first_seen_us = self.first_seen_us or now_us
        if len(self.digests) + self.repeated < self.records:
            self.repeated += 1
            self.contradictory += known != digest
            return
        self.outcomes[pb.Outcome.Name(decision.outcome).removeprefix("OUTCOME_").lower()] += 1
        self.degraded += bool(decision.degradations)
        intended = intended_us.get(decision.trace_id)
        if intended is not None:
            self.latencies_s.append(max(now_us - intended, 0) / 1e6)


class DecisionWatcher:
    """Use as an asynchronous context manager; `seen` fills while it runs."""

    def __init__(
        self,
        bootstrap_servers: str,
        intended_us: Mapping[bytes, int],
        *,
        topic_prefix: str = "",
        progress: Callable[[Seen], None] | None = None,
    ) -> None:
        self.seen = Seen()
        self._intended_us = intended_us
        self._topic = topic_prefix + DECIDED
        self._progress = progress
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="latest",
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            await self._begin_at_the_end()
        except UnknownTopicOrPartitionError as error:
            await self._consumer.stop()
            raise LookupError(f"topic {self._topic} does not exist") from error
        except BaseException:
            await self._consumer.stop()
            raise
        self._task = asyncio.create_task(self._watch(), name="decision-watcher")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def all_decided(self, distinct: int, timeout_s: float) -> bool:
        """Wait until `distinct` decisions were seen; False when `timeout_s` passed without any new record before that.

        Raises what ended the watching, if something did.
        """
        while self.seen.decided < distinct:
            before = self.seen.records
            try:
                async with self._changed:
                    await asyncio.wait_for(self._changed.wait(), timeout_s)
            except TimeoutError:
                if self._task is not None and self._task.done():
                    self._task.result()
                if self.seen.records == before:
                    return False
        return True

    async def _begin_at_the_end(self) -> None:
        for partition in self._consumer.assignment():  # without a group, a consumer has all partitions of its topic
            await self._consumer.position(partition)

    async def _watch(self) -> None:
        while True:
            batches: dict[Any, list[Any]] = await self._consumer.getmany(timeout_ms=200, max_records=5_000)
            now_us = time.time_ns() // 1_000
            for records in batches.values():
                for record in records:
                    self.seen.observe(record.value, now_us, self._intended_us)
            if batches:
                if self._progress is not None:
                    self._progress(self.seen)
                async with self._changed:
                    self._changed.notify_all()
