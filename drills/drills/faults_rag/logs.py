"""What the event log and the audit log hold, from their beginnings."""

from __future__ import annotations

from collections.abc import AsyncIterator

from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from finmesh.rag.v1 import events_pb2 as events
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.config import KafkaSettings
from meshkit.events.clients import consumer, stopped

CHANGED = "finmesh.rag.v1.DocumentStateChanged"


async def changes(kafka: KafkaSettings) -> list[events.DocumentStateChanged]:
    """What banks were told, each document's in order."""
    return [events.DocumentStateChanged.FromString(value) async for _, value in _whole(kafka, CHANGED)]


async def record_ids(kafka: KafkaSettings) -> set[str]:
    """Ids of all records that rag wrote."""
    return {
        AuditRecord.FromString(raw).audit_record_id
        async for key, value in _whole(kafka, AUDIT_TOPIC)
        if key.startswith(b"rag/")
        for raw in AuditBatch.FromString(value).records
    }


async def _whole(kafka: KafkaSettings, topic: str) -> AsyncIterator[tuple[bytes, bytes]]:
    """Key and value of every record of a topic that is there now."""
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
