"""The port DecisionRecords on a real Kafka: records by their place, what is gone, and how much is read at once."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from meshkit.errors import Overloaded, Unavailable
from meshkit.events.replay import TopicReader
from meshkit.events.topic_ids import raw_topic_id
from meshkit.events.transactional import start_transactional, transactional_id
from risk_scoring.adapters.kafka_decision_records import KafkaDecisionRecords
from risk_scoring.domain.observation import RecordPlace

from tests.protocol.loops import OUTPUT, send, settings

pytestmark = pytest.mark.stack


@asynccontextmanager
async def records(kafka, fetches_per_s=1_000):
    """The adapter, and the topic's id."""
    adapter, reader = KafkaDecisionRecords(kafka, fetches_per_s), TopicReader(kafka, OUTPUT)
    try:
        yield adapter, raw_topic_id(await reader.topic_id())
    finally:
        await reader.aclose()
        await adapter.aclose()


async def written(kafka, *values: bytes) -> None:
    """One committed transaction, behind it its marker."""
    producer = await start_transactional(kafka, transactional_id(kafka, "records", 0))
    async with producer.transaction():
        for value in values:
            await producer.send(kafka.topic_prefix + OUTPUT, value, partition=0)
    await producer.stop()


async def aborted(kafka, value: bytes) -> None:
    """One aborted transaction."""
    producer: AIOKafkaProducer = await start_transactional(kafka, transactional_id(kafka, "records", 0))
    await producer.begin_transaction()
    await producer.send_and_wait(kafka.topic_prefix + OUTPUT, value, partition=0)
    await producer.abort_transaction()
    await producer.stop()


async def test_what_stands_where(fresh) -> None:
    """0 and 1 committed, 2 a marker, 3 aborted, 4 its marker, 5 committed, 6 a marker, 7 the end."""
    kafka = await fresh()
    await written(kafka, b"zero", b"one")
    await aborted(kafka, b"never")
    await written(kafka, b"five")
    await send(kafka, b"elsewhere", topic=OUTPUT, partition=1)
    async with records(kafka) as (adapter, topic):
        wanted = [RecordPlace(topic, 0, offset) for offset in (7, 5, 4, 3, 2, 1, 0, 10**12)]
        wanted += [RecordPlace(topic, 1, 0), RecordPlace(topic, 99, 0), RecordPlace(bytes(16), 0, 0)]
        found = await adapter.read(wanted, 20.0)
        assert {(place.partition, place.offset): value for place, value in found.items() if value is not None} == {
            (0, 0): b"zero",
            (0, 1): b"one",
            (0, 5): b"five",
            (1, 0): b"elsewhere",
        }
        assert found.keys() == set(wanted), "the rest is gone for good"
        assert (await adapter.read([RecordPlace(topic, 0, 1)], 20.0)) == {RecordPlace(topic, 0, 1): b"one"}


async def test_retention_took_it(fresh) -> None:
    kafka = await fresh()
    await written(kafka, b"zero", b"one")
    async with records(kafka) as (adapter, topic):
        assert (await adapter.read([RecordPlace(topic, 0, 0)], 20.0))[RecordPlace(topic, 0, 0)] == b"zero"
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        await admin.delete_records({TopicPartition(kafka.topic_prefix + OUTPUT, 0): RecordsToDelete(before_offset=1)})
        await admin.close()
        both = [RecordPlace(topic, 0, 0), RecordPlace(topic, 0, 1)]
        assert list((await adapter.read(both, 20.0)).values()) == [None, b"one"]


async def test_neighbours_come_with_one_fetch_and_what_is_scattered_is_limited(fresh) -> None:
    """One fetch a second, and one at once after a pause."""
    kafka = await fresh()
    await send(kafka, *(b"%d" % number for number in range(20)), topic=OUTPUT)
    async with records(kafka, fetches_per_s=1) as (adapter, topic):
        assert len(await adapter.read([RecordPlace(topic, 0, offset) for offset in range(20)], 20.0)) == 20
        with pytest.raises(Overloaded) as limited:
            await adapter.read([RecordPlace(topic, 0, 3)], 0.5)
        assert limited.value.reason == "DECISION_READS_LIMITED"
        assert (await adapter.read([RecordPlace(topic, 0, 3)], 20.0))[RecordPlace(topic, 0, 3)] == b"3", "later there is room again"


async def test_a_broker_that_is_away(fresh) -> None:
    kafka = (await fresh()).model_copy(update={"request_timeout_ms": 500})
    async with records(kafka) as (adapter, topic):
        await send(kafka, b"zero", topic=OUTPUT)
        away = KafkaDecisionRecords(settings("127.0.0.1:9", kafka.topic_prefix, request_timeout_ms=500), 100)
        with pytest.raises(Unavailable) as failed:
            await away.read([RecordPlace(topic, 0, 0)], 5.0)
        assert failed.value.reason == "EVENT_LOG_DOWN"
        await away.aclose()
        # a caller without time leaves nothing broken behind
        with pytest.raises((Unavailable, Overloaded)):
            await adapter.read([RecordPlace(topic, 0, 0)], 0.0001)
        several = await asyncio.gather(*(adapter.read([RecordPlace(topic, 0, 0)], 20.0) for _ in range(10)))
        assert several == [{RecordPlace(topic, 0, 0): b"zero"}] * 10
