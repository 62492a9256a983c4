"""Synchronous decisions to Kafka: audit records first, then decisions, both acknowledged by all in-sync replicas.

In this order a decision that can be read is always audited, also when the process dies in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.structs import RecordMetadata
from meshkit.audit.batch import BatchSigner, BatchWriter
from meshkit.config import KafkaSettings
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.errors import Unavailable
from meshkit.events.connection import connection, stopped
from meshkit.events.message import Message
from meshkit.telemetry.context import TraceContext

from risk_scoring.adapters.kafka_lists import LIST_TOPIC, list_message
from risk_scoring.domain.decision import Verdict
from risk_scoring.domain.lists import ListChange
from risk_scoring.translate.messages import AUDIT_TOPIC, DECISION_TOPIC, AuditMessages, account_partition, decision_message


class KafkaPublisher:
    """One idempotent producer. ``replica`` names this process in the audit envelope."""

    def __init__(self, kafka: KafkaSettings, signer: BatchSigner, keys: KeyedIds, replica: str) -> None:
        self._kafka = kafka
        self._signer = signer
        self._keys = keys
        self._lists = kafka.topic_prefix + LIST_TOPIC
        self._name = f"risk-scoring/rpc/{replica}"
        self._decisions = kafka.topic_prefix + DECISION_TOPIC
        self._audit_topic = kafka.topic_prefix + AUDIT_TOPIC
        self._producer: AIOKafkaProducer | None = None
        self._audit: AuditMessages | None = None
        self._starting = asyncio.Lock()
        self._numbering = asyncio.Lock()

    async def aclose(self) -> None:
        """Flush and close."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stopped(producer)

    async def connected(self) -> AIOKafkaProducer:
        """Return the started producer. Raises Unavailable."""
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **connection(self._kafka),
                    enable_idempotence=True,
                    acks="all",
                    request_timeout_ms=self._kafka.request_timeout_ms,
                )
                try:
                    await producer.start()
                except KafkaError as error:
                    await stopped(producer)
                    raise Unavailable("the event log does not answer", reason="EVENT_LOG_DOWN", retry_after_s=0.5) from error
                self._producer = producer
                self._audit = None
            return self._producer

    async def publish(self, verdicts: Sequence[Verdict]) -> None:
        """Write audit records, then decisions. Raises Unavailable; then the caller is told nothing."""
        producer = await self.connected()
        contexts = [TraceContext(*verdict.request.trace) for verdict in verdicts]
        try:
            async with self._numbering:  # batches leave in the order of their numbers
                audited = await self._enqueued(producer, await self._audit_messages(producer, verdicts, contexts))
            await asyncio.gather(*audited)
            partitions = len(await producer.partitions_for(self._decisions))
            sent = await self._enqueued(
                producer,
                [
                    decision_message(self._decisions, account_partition(v.request.transaction.account_id, partitions), v, context)
                    for v, context in zip(verdicts, contexts, strict=True)
                ],
            )
            await asyncio.gather(*sent)
        except asyncio.CancelledError:
            self._audit = None
            raise
        except KafkaError as error:
            self._audit = None  # a new epoch: what was sent of the old one is unknown
            raise Unavailable("the decision could not be recorded", reason="NOT_RECORDED", retry_after_s=0.2) from error

    async def publish_list_change(self, change: ListChange, payload: bytes) -> None:
        """Write a change of a list. Raises Unavailable."""
        producer = await self.connected()
        message = list_message(self._lists, self._keys, change, payload, str(uuid4()), time.time())
        try:
            await asyncio.gather(*await self._enqueued(producer, [message]))
        except KafkaError as error:
            raise Unavailable("the change could not be recorded", reason="NOT_RECORDED", retry_after_s=0.2) from error

    async def _audit_messages(
        self, producer: AIOKafkaProducer, verdicts: Sequence[Verdict], contexts: Sequence[TraceContext]
    ) -> list[Message]:
        if self._audit is None:
            partitions = len(await producer.partitions_for(self._audit_topic))
            writer = BatchWriter(self._name, time.time_ns() // 1_000, self._signer)
            self._audit = AuditMessages(self._audit_topic, murmur2(self._name.encode()) % partitions, writer)
        recorded = [context for context in contexts if context.sampled]
        return self._audit.of([verdict.audit for verdict in verdicts if verdict.audit], recorded)

    @staticmethod
    async def _enqueued(producer: AIOKafkaProducer, messages: Sequence[Message]) -> list[asyncio.Future[RecordMetadata]]:
        return [await producer.send(m.topic, m.value, m.key, m.partition, headers=m.headers) for m in messages]
