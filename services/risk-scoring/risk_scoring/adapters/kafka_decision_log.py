"""The decision topic as a log of exact decision records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from meshkit.config import KafkaSettings
from meshkit.events.replay import TopicReader

from risk_scoring.translate.messages import DECISION_TOPIC


class KafkaDecisionLog:
    """Reads partitions of the decision topic. Raises Unavailable when the broker does not answer."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    async def partitions(self) -> Sequence[int]:
        """Return the partitions' numbers."""
        return await TopicReader(self._kafka, DECISION_TOPIC).partitions()

    async def read(self, partition: int, first_offset: int) -> AsyncIterator[tuple[Sequence[bytes], int]]:
        """Yield (decision records, next offset) up to what is written at the time of the call; open transactions are waited for."""
        async with aclosing(TopicReader(self._kafka, DECISION_TOPIC)) as reader:
            async for records, next_offset in reader.read(partition, first_offset, wait_for_open=True):
                yield [record.value for record in records if record.value], next_offset
