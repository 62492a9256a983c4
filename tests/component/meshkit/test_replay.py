"""Reading a topic as a log: one that is not there yet is refused at once, and read as soon as it is there."""

import asyncio

import pytest
from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.replay import TopicReader
from provisioning.broker import provision
from provisioning.topics import load

from tests.stack import Stack

pytestmark = pytest.mark.stack


async def test_a_topic_that_does_not_exist_yet_is_refused_at_once(stack: Stack, topic_prefix: str) -> None:
    topic = load(stack.places.topics)[0]
    reader = TopicReader(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=topic_prefix, request_timeout_ms=600_000), topic.name)
    try:
        async with asyncio.timeout(60):  # nobody asks again and again until a request's time is over
            with pytest.raises(Unavailable):
                async for _ in reader.read(0, 0):
                    pass
        await provision(stack.kafka, [topic], topic_prefix)
        assert [next_offset async for _, next_offset in reader.read(0, 0)] == [0]
    finally:
        await reader.aclose()
