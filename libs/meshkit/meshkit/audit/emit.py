"""The one way from a service to the audit log, outside of a transaction: awaited where a record must stand before its effect, else queued.

Both share one numbering, so that a lost batch shows as a hole. A write whose end is unknown begins a new epoch and may send its records
again: the log knows them by their bytes. What is queued when the process is killed is lost; what finds the queue full is counted, alarms,
and the next record that is queued says how many came to nothing before it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

from finmesh.audit.v1.audit_record_pb2 import AuditRecord

from meshkit.audit.batch import MAX_RECORD_BYTES, BatchSigner, BatchWriter
from meshkit.audit.messages import AUDIT_TOPIC, AuditMessages
from meshkit.errors import InvalidArgument, Unavailable
from meshkit.events import backoff
from meshkit.events.health import Health
from meshkit.events.message import partition_of
from meshkit.events.publisher import Publisher, recorded
from meshkit.telemetry import metrics
from meshkit.telemetry.context import TraceContext

COMPONENT = "audit-emission"
QUEUE_RECORDS = 4096
_BATCH_RECORDS = 256
_FLUSH_S = 3.0
_logger = logging.getLogger(__name__)


class AuditEmitter:
    """Emits the records of one process. ``name`` is the producer's: service, then what tells this process from its like."""

    def __init__(
        self, publisher: Publisher, name: str, signer: BatchSigner, topic_prefix: str, health: Health, capacity: int = QUEUE_RECORDS
    ) -> None:
        self._publisher = publisher
        self._name = name
        self._signer = signer
        self._topic = topic_prefix + AUDIT_TOPIC
        self._health = health
        self._capacity = capacity
        self._batches: AuditMessages | None = None  # of the present epoch
        self._numbering = asyncio.Lock()
        self._queue: deque[bytes] = deque()
        self._waiting = asyncio.Event()
        self._sending = asyncio.Lock()
        self._lost = 0
        self._lost_ever = metrics.meter().create_counter("finmesh.audit.records.lost", description="audit records lost to a full queue")
        self._lost_ever.add(0)

    async def write(self, records: Sequence[bytes], traces: Sequence[TraceContext] = ()) -> None:
        """Return when all in-sync replicas have these records. ``traces``: of the requests that are recorded. Raises Unavailable."""
        try:
            async with self._numbering:  # batches leave in the order of their numbers
                sent = await self._publisher.send((await self._epoch()).of(records, traces))
            await recorded(sent)
        except BaseException:
            self._batches = None  # a new epoch: what was sent of the old one is unknown
            raise

    def put(self, record: AuditRecord) -> None:
        """Queue a record. Raises InvalidArgument for one that no leaf can hold."""
        if len(self._queue) >= self._capacity:
            self._lose(1)
            return
        record.lost_before = self._lost
        content = record.SerializeToString()
        if len(content) > MAX_RECORD_BYTES:
            raise InvalidArgument("audit record too large", reason="AUDIT_RECORD_TOO_LARGE")
        self._lost = 0
        self._queue.append(content)
        self._waiting.set()

    async def run(self) -> None:
        """Send what is queued, for ever; what can't be sent waits."""
        attempt = 0
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            try:
                await self._flush()
                self._health.recovered(COMPONENT)
                attempt = 0
            except Unavailable as error:
                self._health.degraded(COMPONENT, error.reason)
                self._waiting.set()
                attempt = await backoff.pause(attempt)

    async def aclose(self) -> None:
        """Send what is queued, for some seconds at most; called when nobody puts any more."""
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self._flush()
        except (TimeoutError, Unavailable):
            self._lose(len(self._queue))
            self._queue.clear()
        if self._lost:
            _logger.error("audit records are lost", extra={"facts": {"records": self._lost}})

    async def _flush(self) -> None:
        async with self._sending:
            while self._queue:
                batch = [self._queue[position] for position in range(min(len(self._queue), _BATCH_RECORDS))]
                await self.write(batch)
                for _ in batch:
                    self._queue.popleft()

    async def _epoch(self) -> AuditMessages:
        if self._batches is None:
            partition = partition_of(self._name.encode(), await self._publisher.partitions(self._topic))
            self._batches = AuditMessages(self._topic, partition, BatchWriter(self._name, time.time_ns() // 1_000, self._signer))
        return self._batches

    def _lose(self, records: int) -> None:
        self._lost += records
        self._lost_ever.add(records)
        self._health.degraded(COMPONENT, "AUDIT_QUEUE_FULL")
