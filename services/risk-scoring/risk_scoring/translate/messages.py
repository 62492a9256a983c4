"""The message that carries a decision. The same decision gives the same key, value and CloudEvents id, whoever sends it."""

from __future__ import annotations

import time

from meshkit.crypto.keyed_ids import uuid_text
from meshkit.events.message import Message, cloud_event, partition_of
from meshkit.telemetry.context import TraceContext

from risk_scoring.domain.decision import Verdict

DECISION_TOPIC = "finmesh.risk.v1.TransactionDecided"
LABEL_TOPIC = "finmesh.risk.v1.LabelReported"
SOURCE = "/finmesh/risk-scoring"


def account_partition(account_id: str, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives an account's events."""
    return partition_of(account_id.encode(), partitions)


def decision_message(topic: str, partition: int, verdict: Verdict, context: TraceContext) -> Message:
    """Return the event of a decision. Its key is the account's keyed hash: the order of an account's decisions is kept."""
    seen = verdict.request.observation
    headers = cloud_event(uuid_text(seen.decision_id), DECISION_TOPIC, SOURCE, time.time(), context.header())
    return Message(topic, partition, seen.account_key, verdict.decision, headers)
