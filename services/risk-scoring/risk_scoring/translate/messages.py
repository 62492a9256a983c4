"""The messages that carry a decision and its evidence. The same decision gives the same key, value and CloudEvents id, whoever sends it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import blake2b

from aiokafka.partitioner import murmur2
from meshkit.audit.batch import BatchWriter
from meshkit.crypto.keyed_ids import uuid_text
from meshkit.events.message import Message, cloud_event
from meshkit.telemetry.context import TraceContext, to_header

from risk_scoring.domain.decision import Verdict

DECISION_TOPIC = "finmesh.risk.v1.TransactionDecided"
LABEL_TOPIC = "finmesh.risk.v1.LabelReported"
AUDIT_TOPIC = "finmesh.audit.v1.AuditBatch"
SOURCE = "/finmesh/risk-scoring"
_MOST_TRACES = 64


def account_partition(account_id: str, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives an account's events."""
    return int((murmur2(account_id.encode()) & 0x7FFFFFFF) % partitions)


def decision_message(topic: str, partition: int, verdict: Verdict, context: TraceContext) -> Message:
    """Return the event of a decision. Its key is the account's keyed hash: the order of an account's decisions is kept."""
    seen = verdict.request.observation
    headers = cloud_event(uuid_text(seen.decision_id), DECISION_TOPIC, SOURCE, time.time(), context.header())
    return Message(topic, partition, seen.account_key, verdict.decision, headers)


class AuditMessages:
    """Audit batches of one producer. The envelope carries the trace contexts of recorded requests, one traceparent header each."""

    def __init__(self, topic: str, partition: int, writer: BatchWriter) -> None:
        self._topic = topic
        self._partition = partition
        self._writer = writer

    def of(self, records: Sequence[bytes], recorded: Sequence[TraceContext]) -> list[Message]:
        """Return the messages that hold these records."""
        messages = []
        for envelope in self._writer.envelopes(records):
            headers = cloud_event(uuid_text(_envelope_id(self._writer.producer, envelope)), AUDIT_TOPIC, SOURCE, time.time())
            headers += [to_header(context) for context in recorded[:_MOST_TRACES]]
            messages.append(Message(self._topic, self._partition, self._writer.producer.encode(), envelope, headers))
        return messages


def _envelope_id(producer: str, envelope: bytes) -> bytes:
    return blake2b(producer.encode() + envelope, digest_size=16).digest()
