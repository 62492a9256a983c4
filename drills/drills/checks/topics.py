"""A topic as it stands, from its beginning to the end that it has now."""

from __future__ import annotations

from collections.abc import AsyncIterator

from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.config import KafkaSettings
from meshkit.events.clients import consumer, stopped


async def audit_records(kafka: KafkaSettings, service: str) -> AsyncIterator[AuditRecord]:
    """Every audit record that a service wrote."""
    async for key, value in whole(kafka, AUDIT_TOPIC):
        if key.startswith(f"{service}/".encode()):
            for raw in AuditBatch.FromString(value).records:
                yield AuditRecord.FromString(raw)


async def whole(kafka: KafkaSettings, topic: str) -> AsyncIterator[tuple[bytes, bytes]]:
    """Key and value of every record of a topic that is there now, each partition's in order."""
    reading = consumer(kafka, kafka.topic_prefix + topic, max_partition_fetch_bytes=4 * 1024 * 1024)
    await reading.start()
    try:
        partitions = sorted(reading.assignment())
        await reading.seek_to_beginning(*partitions)
        ends = await reading.end_offsets(partitions)
        while any([await reading.position(each) < end for each, end in ends.items()]):
            for records in (await reading.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record.key or b"", record.value
    finally:
        await stopped(reading)
