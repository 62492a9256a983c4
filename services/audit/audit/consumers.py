"""The audit topic: Kafka's records become messages of the domain, positions become offsets. No logic beyond that."""

import time
from collections.abc import Mapping, Sequence

from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.events.message import Record
from meshkit.events.offsets_in_db import Loss, Position
from meshkit.events.poison import NO_POISON, Poison, place_of
from meshkit.telemetry import context as trace
from meshkit.telemetry import names, spans
from translog.entries import NextOffset

from audit.domain.message import Lost, Message
from audit.usecases.on_audit_batch import OnAuditBatch


class AuditBatches:
    """The sink of ``meshkit.events.offsets_in_db`` for AuditBatch."""

    def __init__(self, on_audit_batch: OnAuditBatch) -> None:
        self._on_audit_batch = on_audit_batch
        self._topic = AUDIT_TOPIC

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where the topic goes on."""
        self._topic = topic
        offsets = await self._on_audit_batch.offsets(topic)
        return {offset.partition: Position(offset.partition, offset.topic_id, offset.offset) for offset in offsets.values()}

    def read(self, record: Record) -> bool:
        """Say whether a record is what it claims to be; raises what our code raises on it."""
        return self._on_audit_batch.read(Message(self._topic, record.partition, "", record.offset, record.value or b""))

    async def store(
        self, records: Sequence[Record], losses: Sequence[Loss], positions: Sequence[Position], poison: Poison = NO_POISON
    ) -> None:
        """Log them; a span below each request that the sender recorded."""
        start_ns = time.time_ns()
        incarnations = {position.partition: position.incarnation for position in positions}
        messages = [
            Message(
                topic=self._topic,
                partition=r.partition,
                incarnation=incarnations[r.partition],
                offset=r.offset,
                value=r.value or b"",
                poison=place_of(r) in poison,
            )
            for r in records
        ]
        offsets = [NextOffset(self._topic, p.partition, p.incarnation, p.next_offset) for p in positions]
        await self._on_audit_batch.store(messages, [self._lost(loss) for loss in losses], offsets)
        self._spans(records, start_ns)

    def _lost(self, loss: Loss) -> Lost:
        due, resumed = loss.due, loss.resumed
        return Lost(
            topic=self._topic,
            partition=due.partition,
            reason=loss.reason.value,
            due_incarnation=due.incarnation,
            due=due.next_offset,
            incarnation=resumed.incarnation,
            resumed=resumed.next_offset,
        )

    def _spans(self, records: Sequence[Record], start_ns: int) -> None:
        end_ns = time.time_ns()
        for record in records:
            attributes = {
                names.MESSAGING_SYSTEM: "kafka",
                names.MESSAGING_DESTINATION: record.topic,
                names.MESSAGING_PARTITION: str(record.partition),
                names.KAFKA_OFFSET: record.offset,
                names.MESSAGING_OPERATION: "process",
                names.MESSAGING_BATCH_COUNT: len(records),
            }
            for parent in trace.all_from_headers(record.headers):
                spans.record(
                    f"process {AUDIT_TOPIC}",
                    parent.child(),
                    parent=parent,
                    start_ns=start_ns,
                    end_ns=end_ns,
                    kind=spans.SpanKind.CONSUMER,
                    attributes=attributes,
                )
