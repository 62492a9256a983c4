"""What the event log and the audit log hold, from their beginnings."""

from __future__ import annotations

from dataclasses import dataclass, field

from finmesh.audit.v1.audit_record_pb2 import KNOWLEDGE_ACTION_PUBLISH
from finmesh.rag.v1 import events_pb2 as events
from meshkit.config import KafkaSettings

from drills.checks.topics import audit_records, whole

CHANGED = "finmesh.rag.v1.DocumentStateChanged"


async def changes(kafka: KafkaSettings) -> list[events.DocumentStateChanged]:
    """What banks were told, each document's in order."""
    return [events.DocumentStateChanged.FromString(value) async for _, value in whole(kafka, CHANGED)]


@dataclass
class Recorded:
    """What rag wrote into the audit log. ``published``: tenant, SHA-256 of the original and version of what could be found."""

    ids: set[str] = field(default_factory=set)
    published: set[tuple[str, bytes, int]] = field(default_factory=set)


async def recorded(kafka: KafkaSettings) -> Recorded:
    """All records that rag wrote."""
    found = Recorded()
    async for record in audit_records(kafka, "rag"):
        found.ids.add(record.audit_record_id)
        change = record.change.knowledge
        if change.action == KNOWLEDGE_ACTION_PUBLISH:
            found.published.add((record.tenant, change.content_sha256, change.source_version))
    return found
