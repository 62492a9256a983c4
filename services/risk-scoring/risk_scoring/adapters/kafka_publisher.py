"""Synchronous decisions and changes of lists to Kafka: audit records first, then their effect, both acknowledged by all in-sync replicas.

In this order a decision that can be read is always audited, also when the process dies in between.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import uuid4

from meshkit.audit.emit import AuditEmitter
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.events.publisher import Publisher
from meshkit.telemetry.context import TraceContext

from risk_scoring.domain.decision import Verdict
from risk_scoring.domain.lists import ListChange
from risk_scoring.translate.list_changes import LIST_TOPIC, list_message
from risk_scoring.translate.messages import DECISION_TOPIC, account_partition, decision_message


class KafkaPublisher:
    """Methods raise Unavailable; then the caller is told nothing."""

    def __init__(self, events: Publisher, audit: AuditEmitter, keys: KeyedIds, topic_prefix: str) -> None:
        self._events = events
        self._audit = audit
        self._keys = keys
        self._lists = topic_prefix + LIST_TOPIC
        self._decisions = topic_prefix + DECISION_TOPIC

    async def publish(self, verdicts: Sequence[Verdict]) -> None:
        """Write audit records, then decisions."""
        contexts = [TraceContext(*verdict.request.trace) for verdict in verdicts]
        await self._audit.write([each.audit for each in verdicts if each.audit], [context for context in contexts if context.sampled])
        partitions = await self._events.partitions(self._decisions)
        await self._events.write(
            decision_message(self._decisions, account_partition(each.request.transaction.account_id, partitions), each, context)
            for each, context in zip(verdicts, contexts, strict=True)
        )

    async def publish_list_change(self, change: ListChange, payload: bytes, audit: bytes) -> None:
        """Write the audit record of a change of a list, then the change."""
        await self._audit.write([audit])
        await self._events.write([list_message(self._lists, self._keys, change, payload, str(uuid4()), time.time())])
