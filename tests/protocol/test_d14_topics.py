"""D14. Topics are provisioned, never made by asking; a topic that was created anew is noticed.

The gap leaf is tested in tests/ports/audit.
"""

from itertools import count

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from meshkit.events import clients, offsets_in_db
from meshkit.events.offsets_in_db import LossReason, Position, resume
from meshkit.events.topic_ids import TopicIdentity
from provisioning.broker import provision
from provisioning.topics import load, wanted

from tests.protocol.desks import Health
from tests.protocol.loops import Echo, settings, until, working
from tests.protocol.mutants import assert_fails_without, swapped


@pytest.mark.stack
async def test_every_topic_and_its_dead_letters_are_there_before_anybody_starts(stack, provisioned) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    expected = {topic.name for topic in wanted(load(stack.places.topics), provisioned)}

    async def there() -> bool:
        return expected <= set(await admin.list_topics())

    try:
        await until(there, "the broker's own knowledge of its new topics")
    finally:
        await admin.close()


@pytest.mark.stack
async def test_a_topic_that_is_missing_is_waited_for_and_not_made(stack, topic_prefix) -> None:
    kafka = settings(stack.kafka, topic_prefix + "missing.")
    health = Health()
    async with working(kafka, Echo(kafka), health=health):
        await until(lambda: health.missing.get("kafka") == "UnknownTopicOrPartitionError", "a look for the topic")
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        assert not [topic for topic in await admin.list_topics() if topic.startswith(kafka.topic_prefix)]
    finally:
        await admin.close()


@pytest.mark.stack
async def test_a_member_joins_when_its_broker_has_heard_of_the_topic(stack, topic_prefix) -> None:
    """It hears of a new topic a moment after the controller made it; who joins before is assigned nothing, and stays so for minutes."""
    numbers = count()

    async def check() -> None:
        kafka, health = settings(stack.kafka, f"{topic_prefix}{next(numbers)}."), Health()
        assigned: list[int] = []
        async with working(kafka, Echo(kafka), health=health) as loop:
            start_workers = loop.on_partitions_assigned

            async def told(partitions) -> None:
                assigned.append(len(partitions))
                await start_workers(partitions)

            loop.on_partitions_assigned = told
            await until(lambda: assigned or health.missing.get("kafka") == "UnknownTopicOrPartitionError", "a look for the topic")
            await provision(stack.kafka, load(stack.places.topics), kafka.topic_prefix)
            await until(lambda: assigned, "an assignment")
            assert assigned == [4]
            assert "kafka" not in health.missing

    async def at_once(consumer, topic):
        """The mutant: the group is joined whatever the broker knows."""
        return await clients.started(consumer)

    await assert_fails_without("D14", check, swapped(clients, "started_for", at_once))


async def test_a_topic_of_the_same_name_is_another_topic() -> None:
    def check() -> None:
        known = {0: Position(0, "old-id", 5)}
        positions, losses = offsets_in_db.resume(TopicIdentity("new-id", frozenset({0})), known, {0: 0}, {0: 9})
        assert positions == [Position(0, "new-id", 0)]
        assert [loss.reason for loss in losses] == [LossReason.TOPIC_CREATED_ANEW]

    def by_name(identity, known, begin, end):
        return resume(TopicIdentity(known[0].incarnation, identity.partitions), known, begin, end)

    await assert_fails_without("D14", check, swapped(offsets_in_db, "resume", by_name))
