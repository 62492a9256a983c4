"""The decision topic and the label topic as what is known of the past.

Records are parsed a few at a time on the event loop, and after each few the loop is left to others for as long as that took: a synchronous
decision beside it waits for a millisecond or two, where a thread would hold the interpreter for five.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from meshkit.config import KafkaSettings
from meshkit.errors import MeshError
from meshkit.events.message import Record
from meshkit.events.replay import TopicReader

from risk_scoring.domain.corrections import label_change
from risk_scoring.domain.history import PastDecision, PastLabel
from risk_scoring.steps.identify import Identifier
from risk_scoring.translate.corrections import label as to_label
from risk_scoring.translate.messages import DECISION_TOPIC, LABEL_TOPIC
from risk_scoring.translate.rule_backtests import past_decision

_FEW = 100
_Item = TypeVar("_Item")
log = logging.getLogger(__name__)


class KafkaDecisionHistory:
    """Reads both topics outside of any consumer group. Methods raise Unavailable when the broker does not answer."""

    def __init__(self, kafka: KafkaSettings, identifier: Identifier) -> None:
        self._kafka = kafka
        self._identifier = identifier

    async def partitions(self) -> Sequence[int]:
        """Return the partitions' numbers."""
        return await TopicReader(self._kafka, DECISION_TOPIC).partitions()

    def decisions(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastDecision], None]:
        """Yield the decision records written since then."""
        return self._read(DECISION_TOPIC, partition, since_s, past_decision)

    def labels(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastLabel], None]:
        """Yield the labels written since then."""
        return self._read(LABEL_TOPIC, partition, since_s, self._label)

    async def _read(
        self, topic: str, partition: int, since_s: float, of: Callable[[bytes], _Item]
    ) -> AsyncGenerator[Sequence[_Item], None]:
        async with aclosing(TopicReader(self._kafka, topic)) as reader:
            first = await reader.offset_at(partition, max(since_s, 0.0))
            async for records, _ in reader.read(partition, first, max_records=_FEW):
                started = time.perf_counter()
                items = _readable(records, of)
                await asyncio.sleep(time.perf_counter() - started)
                yield items

    def _label(self, payload: bytes) -> PastLabel:
        """Translate as the consumer of labels does, so that both mean the same decision."""
        label = to_label(payload)
        t = label.transaction
        change = label_change(self._identifier.observation(t), t.tenant, label.label_id, label.type, label.retracted)
        return PastLabel(change.change_id, change.observation.decision_id, change.frauds, label.known_us / 1e6)


def _readable(records: Sequence[Record], of: Callable[[bytes], _Item]) -> list[_Item]:
    """Translate. What is unreadable is left out, as by everybody who reads these topics."""
    items = []
    for record in records:
        try:
            items.append(of(record.value or b""))
        except (MeshError, ValueError):
            log.warning("%s partition %s offset %s is left out: unreadable", record.topic, record.partition, record.offset)
    return items
