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
from meshkit.errors import FieldViolation, InvalidArgument, MeshError
from meshkit.events.dead_letter import rejected
from meshkit.events.message import Message, cloud_event
from meshkit.events.replay import TopicReader
from meshkit.telemetry import spans
from meshkit.telemetry.context import from_headers
from meshkit.tenants import checked_tenant

from risk_scoring import translate
from risk_scoring.consumers.transactions import TRANSACTION_TOPIC
from risk_scoring.domain.horizon import check_not_ahead
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
        tenant = _tenant(record)
        context = from_headers(record.headers) or spans.root()
        messages: list[Message] = []
        wrong: list[tuple[int, InvalidArgument]] = []
        for index, transfer in enumerate(self._parse(tenant, record.value or b"")):
            try:
                transaction = transfer.transaction()
                check_not_ahead(transaction.event_time_us, time.time())
            except InvalidArgument as error:  # this transfer alone; the others go on
                wrong.append((index, error))
                continue
            place = f"{record.topic}/{record.partition}/{record.offset}/{len(messages)}"
            headers = cloud_event(place, TRANSACTION_TOPIC, "/finmesh/risk-scoring/pacs.008", time.time(), context.child().header())
            payload = translate.transaction_message(transaction).SerializeToString()
            target = account_partition(transaction.account_id, self._partitions)
            messages.append(Message(self._topic, target, transaction.account_id.encode(), payload, headers))
        if wrong:
            messages.append(rejected(self._sealer, record, _together(wrong)))
        return messages


def _tenant(record: ConsumerRecord) -> str:
    """Return the one tenant that a record names. Raises InvalidArgument."""
    named = {value or b"" for key, value in record.headers if key == TENANT_HEADER} or {b""}
    if len(named) > 1:
        raise InvalidArgument("the record names more than one tenant", reason="TENANT_INVALID")
    return checked_tenant(named.pop().decode("utf-8", "replace"), TENANT_HEADER)


def _together(wrong: Sequence[tuple[int, InvalidArgument]]) -> InvalidArgument:
    """Return one error for all transfers that are wrong: their dead letters would hold the whole document each."""
    violations = tuple(
        FieldViolation(f"transfer {index} {each.field}", each.description)
        for index, error in wrong
        for each in error.violations or (FieldViolation("", error.message),)
    )
    return InvalidArgument("transfers are invalid", reason=wrong[0][1].reason, violations=violations)
