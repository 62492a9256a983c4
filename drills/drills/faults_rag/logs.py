"""What the event log and the audit log hold, from their beginnings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from finmesh.audit.v1.audit_record_pb2 import KNOWLEDGE_ACTION_PUBLISH, AuditBatch, AuditRecord
from finmesh.rag.v1 import events_pb2 as events
from meshkit.audit.messages import AUDIT_TOPIC
from meshkit.config import KafkaSettings
from meshkit.events.clients import consumer, stopped

CHANGED = "finmesh.rag.v1.DocumentStateChanged"


async def changes(kafka: KafkaSettings) -> list[events.DocumentStateChanged]:
    """What banks were told, each document's in order."""
    return [events.DocumentStateChanged.FromString(value) async for _, value in _whole(kafka, CHANGED)]


@dataclass
class Recorded:
    """What rag wrote into the audit log. ``published``: tenant, SHA-256 of the original and version of what could be found."""

    ids: set[str] = field(default_factory=set)
    published: set[tuple[str, bytes, int]] = field(default_factory=set)


async def recorded(kafka: KafkaSettings) -> Recorded:
    """All records that rag wrote."""
    found = Recorded()
    async for key, value in _whole(kafka, AUDIT_TOPIC):
        if not key.startswith(b"rag/"):
            continue
        for raw in AuditBatch.FromString(value).records:
            record = AuditRecord.FromString(raw)
            found.ids.add(record.audit_record_id)
            change = record.change.knowledge
            if change.action == KNOWLEDGE_ACTION_PUBLISH:
                found.published.add((record.tenant, change.content_sha256, change.source_version))
    return found


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
