"""What was emitted for the audit log: batches and records out of an event log in memory."""

from finmesh.audit.v1.audit_record_pb2 import AuditBatch, AuditRecord
from meshkit.testing.events import MemoryEvents


def batches(events: MemoryEvents) -> list[AuditBatch]:
    """Audit batches, in order."""
    return [AuditBatch.FromString(message.value) for message in events.messages if message.topic.endswith("AuditBatch")]


def records(events: MemoryEvents) -> list[AuditRecord]:
    """Audit records, in order."""
    return [AuditRecord.FromString(record) for batch in batches(events) for record in batch.records]
