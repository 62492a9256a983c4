"""How long a topic keeps its records, as its brokers say."""

from __future__ import annotations

import math

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from meshkit.config import KafkaSettings
from meshkit.events.clients import event_log_down
from meshkit.events.connection import connection


async def kept_s(kafka: KafkaSettings, topic: str) -> float:
    """Return how many seconds every record is kept at least; infinity for ever, 0 when size or later records of a key take them.

    Raises Unavailable, also when there is no such topic or its settings may not be read.
    """
    admin = AIOKafkaAdminClient(**connection(kafka), request_timeout_ms=kafka.request_timeout_ms)
    try:
        await admin.start()
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, kafka.topic_prefix + topic)])
        ((code, _, _, _, entries),) = answers[0].resources
        if code:
            raise for_code(code)
    except KafkaError as error:
        raise event_log_down(", or does not show the topic's settings") from error
    finally:
        await admin.close()
    settings = {entry[0]: entry[1] for entry in entries}
    if settings["cleanup.policy"] != "delete" or int(settings["retention.bytes"]) >= 0:
        return 0.0
    retention_ms = int(settings["retention.ms"])
    return math.inf if retention_ms < 0 else retention_ms / 1000
