"""Audit batches as messages of their topic. The envelope carries the trace contexts of recorded requests, one traceparent header each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import blake2b

from meshkit.audit.batch import BatchWriter
from meshkit.crypto.keyed_ids import uuid_text
from meshkit.events.message import Message, cloud_event
from meshkit.telemetry.context import TraceContext, to_header

AUDIT_TOPIC = "finmesh.audit.v1.AuditBatch"
_MAX_TRACES = 64


class AuditMessages:
    """Audit batches of one producer, all to one partition."""

    def __init__(self, topic: str, partition: int, writer: BatchWriter) -> None:
        self._topic = topic
        self._partition = partition
        self._writer = writer
        self._source = f"/finmesh/{writer.producer.partition('/')[0]}"

    def of(self, records: Sequence[bytes], recorded: Sequence[TraceContext] = ()) -> list[Message]:
        """Return the messages that hold these records."""
        messages = []
        for envelope in self._writer.envelopes(records):
            headers = cloud_event(uuid_text(_envelope_id(self._writer.producer, envelope)), AUDIT_TOPIC, self._source, time.time())
            headers += [to_header(context) for context in recorded[:_MAX_TRACES]]
            messages.append(Message(self._topic, self._partition, self._writer.producer.encode(), envelope, headers))
        return messages


def _envelope_id(producer: str, envelope: bytes) -> bytes:
    return blake2b(producer.encode() + envelope, digest_size=16).digest()
