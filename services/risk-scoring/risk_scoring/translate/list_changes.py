"""Changes of lists, and their evidence: what was changed as keyed hashes, by whom, until when."""

from __future__ import annotations

from finmesh.audit.v1.audit_record_pb2 import LIST_ACTION_REMOVE, LIST_ACTION_SET
from finmesh.common.v1.grade_pb2 import DATA_GRADE_L3
from finmesh.risk.v1.list_entry_pb2 import ListedEntity, ListEntryChanged, ListKind
from meshkit.audit.records import AuditRecords
from meshkit.crypto.commitment import CommitmentKey
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.crypto.ring import Ring
from meshkit.events.message import Message, cloud_event

from risk_scoring.domain.decision import Asker
from risk_scoring.domain.horizon import time_us
from risk_scoring.domain.lists import INVALID_LIST_ENTRY, ListChange
from risk_scoring.translate import SCENARIO
from risk_scoring.translate.messages import SOURCE

LIST_TOPIC = "finmesh.risk.v1.ListEntryChanged"


def list_message(topic: str, keys: KeyedIds, change: ListChange, payload: bytes, event_id: str, now_s: float) -> Message:
    """Return the event of a change."""
    return Message(topic, 0, entry_key(keys, change), payload, cloud_event(event_id, LIST_TOPIC, SOURCE, now_s))


def list_change(entry: ListEntryChanged) -> ListChange:
    """Return the validated change. Raises InvalidArgument naming every wrong field."""
    expires_s = time_us(entry.expires_at, "expires_at", INVALID_LIST_ENTRY) / 1e6
    return ListChange(
        tenant=entry.tenant,
        kind=entry.kind,
        entity=entry.entity,
        entity_id=entry.entity_id,
        customer_id=entry.customer_id,
        expires_at_s=expires_s,
        author=entry.author,
        comment=entry.comment,
        removed=entry.removed,
    ).validated()


class ListChangeCodec:
    """Encodes audit records of list changes."""

    def __init__(self, records: AuditRecords, keys: KeyedIds, commitments: Ring[CommitmentKey]) -> None:
        self._records = records
        self._keys = keys
        self._commitments = commitments

    def audit(self, change: ListChange, payload: bytes, asker: Asker) -> bytes:
        """Return the bytes of the AuditRecord of a change whose exact event is ``payload``."""
        record, key = self._records.new(change.tenant), self._commitments.primary
        record.scenario, record.purpose, record.grade = SCENARIO, asker.purpose, DATA_GRADE_L3
        record.principal_key = self._keys.entity_key(change.tenant, change.author)
        record.request_id, record.policy_hash, record.commitment_key_id = asker.request_id, asker.policy_hash, key.id
        entry = record.change.list_entry
        entry.list, entry.entity = ListKind.Name(change.kind), ListedEntity.Name(change.entity)
        entry.entry_key, entry.commitment = entry_key(self._keys, change), key.commit(payload)
        entry.action = LIST_ACTION_REMOVE if change.removed else LIST_ACTION_SET
        entry.expires_at.FromMicroseconds(int(change.expires_at_s * 1_000_000))
        return record.SerializeToString()


def entry_key(keys: KeyedIds, change: ListChange) -> bytes:
    """Return the keyed hash of what an entry is about: the key of its message, so that compaction keeps the newest."""
    return keys.entity_key(change.tenant, "|".join(str(part) for part in change.key))
