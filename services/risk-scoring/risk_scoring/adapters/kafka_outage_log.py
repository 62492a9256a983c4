"""The decision topic as the arbiter while Redis is down (rule D22), under the stream's own transactional ids."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from meshkit.audit.batch import BatchSigner, BatchWriter
from meshkit.audit.messages import AUDIT_TOPIC, AuditMessages
from meshkit.clock import Clock
from meshkit.config import KafkaSettings
from meshkit.errors import MeshError, Unavailable
from meshkit.events.replay import TopicReader
from meshkit.events.transactional import TransactionalPublisher, transactional_id
from meshkit.telemetry.context import TraceContext

from risk_scoring.domain.decision import Verdict
from risk_scoring.translate.messages import DECISION_TOPIC, account_partition, decision_message

log = logging.getLogger(__name__)


class _Held:
    """One partition that this process may answer: its publisher, and the first decision of each id that was read."""

    def __init__(self, answers: TransactionalPublisher, audit: AuditMessages, reader: TopicReader, since_s: float, offset: int) -> None:
        self.answers = answers
        self.audit = audit
        self.reader = reader
        self.since_s = since_s
        self.offset = offset
        self.first: dict[bytes, bytes] = {}
        self.lock = asyncio.Lock()


class KafkaOutageLog:
    """``group``: the stream's group name, whose transactional ids are taken over.

    ``identify`` gives the decision id of a record's bytes.
    """

    def __init__(
        self, kafka: KafkaSettings, group: str, signer: BatchSigner, identify: Callable[[bytes], bytes], clock: Clock, lookback_s: float
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._signer = signer
        self._identify = identify
        self._clock = clock
        self._lookback_s = lookback_s
        self._held: dict[int, _Held] = {}
        self._decisions = kafka.topic_prefix + DECISION_TOPIC
        self._count = 0
        self._taking = asyncio.Lock()

    async def partitions(self) -> Sequence[int]:
        """Return the partitions of the decision topic."""
        return await TopicReader(self._kafka, DECISION_TOPIC).partitions()

    async def enter(self) -> None:
        """Take every partition. Raises Unavailable; what was taken until then stays taken."""
        count = len(await self.partitions())
        for partition in range(count):
            await self._hold(partition)
        self._count = count

    async def _hold(self, partition: int) -> _Held:
        """Return the partition, taken now if it is not: whoever else answers (another replica) loses it."""
        async with self._taking:
            held = self._held.get(partition)
            if held is None:
                held = await self._take(partition)
                try:
                    await self._catch_up(partition, held)
                except BaseException:
                    await _closed(held)
                    raise
                self._held[partition] = held
            return held

    async def _take(self, partition: int) -> _Held:
        answers = await TransactionalPublisher.holding(self._kafka, transactional_id(self._kafka, self._group, partition))
        writer = BatchWriter(f"risk-scoring/outage/{partition}", time.time_ns() // 1_000, self._signer)
        audit = AuditMessages(self._kafka.topic_prefix + AUDIT_TOPIC, 0, writer)
        reader = TopicReader(self._kafka, DECISION_TOPIC)
        since_s = self._clock.now_s() - self._lookback_s
        try:
            return _Held(answers, audit, reader, since_s, await reader.offset_at(partition, since_s))
        except BaseException:
            await reader.aclose()
            await answers.aclose()
            raise

    async def leave(self) -> None:
        """Close everything; the stream takes its ids back by itself."""
        self._count = 0
        held, self._held = self._held, {}
        for each in held.values():
            await _closed(each)

    async def partition_of(self, account_id: str) -> int:
        """Return the partition of an account. Raises Unavailable before the partitions are taken."""
        if not self._count:
            raise Unavailable("the event log is being read", reason="OUTAGE_NOT_READY", retry_after_s=0.2)
        return account_partition(account_id, self._count)

    async def first(self, partition: int, decision_ids: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Return the first decision of each of the ids, up to the last stable offset."""
        held = await self._holder(partition)
        async with held.lock:
            await self._catch_up(partition, held)
        return {each: held.first[each] for each in decision_ids if each in held.first}

    async def publish(self, partition: int, verdicts: Sequence[Verdict]) -> None:
        """Write decisions and audit records in one transaction, and wait until they can be read: that comes after the commit's answer.

        Raises Unavailable when the right was lost meanwhile.
        """
        held = await self._holder(partition)
        contexts = [TraceContext(*verdict.request.trace) for verdict in verdicts]
        messages = held.audit.of([verdict.audit for verdict in verdicts], [context for context in contexts if context.sampled])
        messages += [decision_message(self._decisions, partition, *each) for each in zip(verdicts, contexts, strict=True)]
        async with held.lock:
            try:
                written = await held.answers.write(messages)
                while held.offset <= written[self._decisions, partition]:
                    await self._catch_up(partition, held)
            except (Unavailable, asyncio.CancelledError) as error:
                if self._held.get(partition) is held:
                    del self._held[partition]
                await _closed(held)
                if isinstance(error, asyncio.CancelledError):
                    raise
                raise Unavailable("the right to answer the partition was lost", reason="NOT_RECORDED", retry_after_s=0.2) from error

    def since_s(self, partition: int) -> float:
        """Return from when on the partition's decisions are known."""
        held = self._held.get(partition)
        return held.since_s if held else math.inf

    async def _holder(self, partition: int) -> _Held:
        """Return the partition; one whose right was lost is taken again. Raises Unavailable before ``enter`` is done."""
        if not self._count:
            raise Unavailable("the partition is not held", reason="OUTAGE_NOT_READY", retry_after_s=0.2)
        return await self._hold(partition)

    async def _catch_up(self, partition: int, held: _Held) -> None:
        async for records, next_offset in held.reader.read(partition, held.offset):
            for record in records:
                try:
                    held.first.setdefault(self._identify(record.value or b""), record.value)
                except (MeshError, ValueError):
                    log.error("the record at offset %s of partition %s is no decision", record.offset, partition)
            held.offset = next_offset


async def _closed(held: _Held) -> None:
    await held.reader.aclose()
    await held.answers.aclose()
