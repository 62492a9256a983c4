"""Credit transfers: one ISO 20022 pacs.008 document becomes one TransactionAuthorizationRequested for each transfer, and decides nothing
itself.

Republished exactly once under keys that the document gives, so that a document sent twice makes the same transactions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from meshkit.config import KafkaSettings
from meshkit.crypto.seal import Sealer
from meshkit.errors import InvalidArgument, MeshError
from meshkit.events.dead_letter import rejected
from meshkit.events.message import Message, Record, cloud_event
from meshkit.events.replay import TopicReader
from meshkit.telemetry import spans
from meshkit.telemetry.context import TraceContext, from_headers
from meshkit.tenants import checked_tenant

from risk_scoring import translate
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC
from risk_scoring.domain.pacs008 import CreditTransfer
from risk_scoring.domain.transaction import Transaction
from risk_scoring.translate.messages import account_partition
from risk_scoring.usecases.on_iso20022_pacs_008 import OnIso20022Pacs008

PACS008_TOPIC = "iso20022.pacs.008"
TENANT_HEADER = "ce_tenant"


class CreditTransferStream:
    """Handler of the pacs.008 topic for `meshkit.events.exactly_once`. The record's ``ce_tenant`` header names the bank."""

    def __init__(
        self, kafka: KafkaSettings, parse: Callable[[str, bytes], list[CreditTransfer]], on_document: OnIso20022Pacs008, sealer: Sealer
    ) -> None:
        self._kafka = kafka
        self._on_document = on_document
        self._parse = parse
        self._topic = kafka.topic_prefix + TRANSACTION_TOPIC
        self._sealer = sealer
        self._partitions = 0

    async def assigned(self, partition: int, epoch: int) -> None:
        """Learn how many partitions the transactions have. Raises Unavailable."""
        self._partitions = len(await TopicReader(self._kafka, TRANSACTION_TOPIC).partitions())

    async def confirm(self, partition: int) -> None:
        """Nothing can have changed: the messages depend on the records alone."""

    async def committed(self, partition: int, written: dict[tuple[str, int], int]) -> None:
        """Nothing to remember."""

    async def handle(self, partition: int, records: Sequence[Record]) -> Sequence[Message]:
        """Return the transactions of the documents, and dead letters."""
        messages: list[Message] = []
        for record in records:
            try:
                messages += self._transactions(record)
            except MeshError as error:
                messages.append(rejected(self._sealer, record, error))
        return messages

    def _transactions(self, record: Record) -> list[Message]:
        tenant = _tenant(record)
        context = from_headers(record.headers) or spans.root()
        transactions, wrong = self._on_document(self._parse(tenant, record.value or b""))
        messages = [self._message(record, context, place, transaction) for place, transaction in enumerate(transactions)]
        return [*messages, rejected(self._sealer, record, wrong)] if wrong else messages

    def _message(self, record: Record, context: TraceContext, place: int, transaction: Transaction) -> Message:
        """Return the event of a transfer, under an id that record and place give."""
        event_id = f"{record.topic}/{record.partition}/{record.offset}/{place}"
        headers = cloud_event(event_id, TRANSACTION_TOPIC, "/finmesh/risk-scoring/pacs.008", time.time(), context.child().header())
        payload = translate.transaction_message(transaction).SerializeToString()
        target = account_partition(transaction.account_id, self._partitions)
        return Message(self._topic, target, transaction.account_id.encode(), payload, headers)


def _tenant(record: Record) -> str:
    """Return the one tenant that a record names. Raises InvalidArgument."""
    named = {value or b"" for key, value in record.headers if key == TENANT_HEADER} or {b""}
    if len(named) > 1:
        raise InvalidArgument("the record names more than one tenant", reason="TENANT_INVALID")
    return checked_tenant(named.pop().decode("utf-8", "replace"), TENANT_HEADER)
