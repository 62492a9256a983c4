"""The decision topic as a log of exact decision records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from meshkit.config import KafkaSettings
from meshkit.events import topic_retention
from meshkit.events.replay import TopicReader
from meshkit.events.topic_ids import raw_topic_id

from risk_scoring.domain.observation import LoggedDecision, RecordPlace
from risk_scoring.translate.messages import DECISION_TOPIC


class KafkaDecisionLog:
    """Reads partitions of the decision topic. Raises Unavailable when the broker does not answer."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    async def partitions(self) -> Sequence[int]:
        """Return the partitions' numbers."""
        return await TopicReader(self._kafka, DECISION_TOPIC).partitions()

    async def read(self, partition: int, first_offset: int) -> AsyncIterator[tuple[Sequence[LoggedDecision], int]]:
        """Yield (decision records, next offset) up to what is written at the time of the call; open transactions are waited for."""
        async with aclosing(TopicReader(self._kafka, DECISION_TOPIC)) as reader:
            topic_id = raw_topic_id(await reader.topic_id())
            async for records, next_offset in reader.read(partition, first_offset, wait_for_open=True):
                yield (
                    [LoggedDecision(RecordPlace(topic_id, partition, each.offset), each.value) for each in records if each.value],
                    next_offset,
                )

    async def kept_s(self) -> float:
        """Return how long every record is kept at least; 0 when something else than age takes records."""
        return await topic_retention.kept_s(self._kafka, DECISION_TOPIC)
