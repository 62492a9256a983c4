"""Makes the topics of deploy/topics.yaml on a broker, and brings the settings of existing ones up to date. Safe to repeat.

It never changes the number of partitions of a topic that exists: keys would move between partitions and the order of one
account's events would be lost. That is refused, with the numbers.
"""

from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from meshkit.config import KafkaSettings
from meshkit.events.connection import connection

from provisioning.topics import Topic, Wanted, wanted

ALREADY_EXISTS = 36
BROKERS_CHOICE = -1  # replicas: default.replication.factor of the cluster, 1 in ours and 3 in a bank's


class ProvisionError(Exception):
    """The broker refused, or has a topic that cannot be turned into the wanted one."""


async def provision(
    bootstrap: str, topics: Sequence[Topic], prefix: str = "", max_partitions: int | None = None, kafka: KafkaSettings | None = None
) -> list[str]:
    """Names of the topics that exist afterwards. ProvisionError when one cannot be had.

    `kafka`: TLS and SASL of the brokers. `max_partitions`: a topic that is made now gets no more; one that has all of the
    file's already may keep them.
    """
    plan = wanted(topics, prefix)
    made_with = {w.name: min(w.partitions, max_partitions or w.partitions) for w in plan}
    admin = AIOKafkaAdminClient(**connection((kafka or KafkaSettings()).model_copy(update={"bootstrap_servers": bootstrap})))
    await admin.start()
    try:
        new = [NewTopic(w.name, made_with[w.name], BROKERS_CHOICE, {}, w.config) for w in plan]
        answer = await admin.create_topics(new, timeout_ms=30_000)
        existing = _existing(answer.topic_errors)
        await _bring_up_to_date(admin, [w for w in plan if w.name in existing], made_with)
    finally:
        await admin.close()
    return [w.name for w in plan]


def _existing(errors: Sequence[Any]) -> set[str]:
    """Names that were there before; ProvisionError for any other refusal."""
    refused = [(name, code, text) for name, code, text in errors if code not in {0, ALREADY_EXISTS}]
    if refused:
        raise ProvisionError("; ".join(f"{name}: {text or for_code(code).__name__}" for name, code, text in refused))
    return {name for name, code, _ in errors if code == ALREADY_EXISTS}


async def _bring_up_to_date(admin: AIOKafkaAdminClient, there: Sequence[Wanted], made_with: dict[str, int]) -> None:
    if not there:
        return
    described = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics([w.name for w in there])}
    wrong = [
        f"{w.name} has {described[w.name]} partitions, not {made_with[w.name]}"
        for w in there
        if described[w.name] not in {w.partitions, made_with[w.name]}
    ]
    if wrong:
        raise ProvisionError("; ".join(wrong) + ": make a new topic and move the readers")
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, w.name, w.config) for w in there])
