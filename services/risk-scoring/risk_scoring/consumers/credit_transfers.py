"""Credit transfers: one ISO 20022 pacs.008 document becomes one TransactionAuthorizationRequested for each transfer, and decides nothing
itself.

Republished exactly once under keys that the document gives, so that a document sent twice makes the same transactions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from aiokafka import ConsumerRecord
from meshkit.config import KafkaSettings
from meshkit.crypto.seal import Sealer
from meshkit.errors import InvalidArgument, MeshError
from meshkit.events.dead_letter import rejected
from meshkit.events.message import Message, cloud_event
from meshkit.events.replay import TopicReader
from meshkit.telemetry import spans
from meshkit.telemetry.context import from_headers
from meshkit.tenants import checked_tenant

from risk_scoring import translate
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC
from risk_scoring.domain.pacs008 import CreditTransfer
from risk_scoring.translate.messages import account_partition

PACS008_TOPIC = "iso20022.pacs.008"
TENANT_HEADER = "ce_tenant"


class CreditTransferStream:
    """Handler of the pacs.008 topic for `meshkit.events.exactly_once`. The record's ``ce_tenant`` header names the bank."""

    def __init__(self, kafka: KafkaSettings, parse: Callable[[str, bytes], list[CreditTransfer]], sealer: Sealer) -> None:
        self._kafka = kafka
        self._parse = parse
        self._topic = kafka.topic_prefix + TRANSACTION_TOPIC
        self._sealer = sealer
        self._partitions = 0

    async def assigned(self, partition: int, epoch: int) -> None:
        """Learn how many partitions the transactions have. Raises Unavailable."""
        reader = TopicReader(self._kafka, TRANSACTION_TOPIC)
        try:
            self._partitions = len(await reader.partitions())
        finally:
            await reader.close()

    async def confirm(self, partition: int) -> None:
        """Nothing can have changed: the messages depend on the records alone."""

    async def committed(self, partition: int, written: dict[tuple[str, int], int]) -> None:
        """Nothing to remember."""

    async def handle(self, partition: int, records: Sequence[ConsumerRecord]) -> Sequence[Message]:
        """Return the transactions of the documents, and dead letters."""
        messages: list[Message] = []
        for record in records:
            try:
                messages += self._transactions(record)
            except MeshError as error:
                messages.append(rejected(self._sealer, record, error))
        return messages

    def _transactions(self, record: ConsumerRecord) -> list[Message]:
        tenant = checked_tenant(dict(record.headers).get(TENANT_HEADER, b"").decode("utf-8", "replace"), TENANT_HEADER)
        context = from_headers(record.headers) or spans.root()
        messages: list[Message] = []
        for transfer in self._parse(tenant, record.value or b""):
            try:
                transaction = transfer.transaction()
            except InvalidArgument as error:  # this transfer alone; the others go on
                messages.append(rejected(self._sealer, record, error))
                continue
            place = f"{record.topic}/{record.partition}/{record.offset}/{len(messages)}"
            headers = cloud_event(place, TRANSACTION_TOPIC, "/finmesh/risk-scoring/pacs.008", time.time(), context.child().header())
            payload = translate.transaction_message(transaction).SerializeToString()
            target = account_partition(transaction.account_id, self._partitions)
            messages.append(Message(self._topic, target, transaction.account_id.encode(), payload, headers))
        return messages
