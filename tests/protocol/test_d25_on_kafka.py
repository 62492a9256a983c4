"""D25 on a real Kafka and a real Redis: published in transactions, compared, forgotten in Redis, and read again hours later."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from meshkit.clock import FakeClock
from meshkit.errors import MeshError
from meshkit.events.offsets_in_db import Flush, OffsetsInDb
from meshkit.events.transactional import start_transactional, transactional_id
from risk_scoring import translate
from risk_scoring.adapters.kafka_decision_log import KafkaDecisionLog
from risk_scoring.adapters.kafka_decision_records import KafkaDecisionRecords
from risk_scoring.consumers.compaction import Compaction
from risk_scoring.domain.observation import Recorded
from risk_scoring.steps.recall import Recall
from risk_scoring.translate.messages import DECISION_TOPIC, account_partition

from tests.protocol.desks import Health, desk
from tests.protocol.loops import OUTPUT, until
from tests.protocol.makers import HOUR, payment, request
from tests.protocol.mutants import assert_fails_without, rewritten

pytestmark = pytest.mark.stack
PARTITION = account_partition("ACCT-6217-0001", 4)


@asynccontextmanager
async def mesh(redis, kafka):
    """A desk whose old decisions are read from Kafka, and what compares them with their records."""
    clock = FakeClock(time.time())
    records = KafkaDecisionRecords(kafka, 1_000)
    async with desk(redis, log=KafkaDecisionLog(kafka), clock=clock, by_place=True) as here:
        here.score._recall = here.stream._usecase._recall = Recall(records, translate.decision_identity)
        sink = Compaction(here.shelf.store, here.restorer, translate.decision_id, clock, 600)
        flush = Flush(records=500, bytes=1, delay_ms=20)
        stopping = asyncio.Event()
        task = asyncio.create_task(OffsetsInDb(kafka, DECISION_TOPIC, sink, Health(), flush).run(stopping))
        try:
            yield here, clock
        finally:
            stopping.set()
            await task
            await records.aclose()


async def publish(kafka, *decisions: bytes, commit: bool = True) -> None:
    """One transaction of the partition, as the stream writes it."""
    producer = await start_transactional(kafka, transactional_id(kafka, "group", PARTITION))
    await producer.begin_transaction()
    for decision in decisions:
        await producer.send_and_wait(kafka.topic_prefix + OUTPUT, decision, partition=PARTITION)
    await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()


async def by_place(here, *verdicts) -> bool:
    """Whether all of them are."""
    found = [await here.shelf.store.stored_decision(verdict.request.decision_id) for verdict in verdicts]
    return all(isinstance(each, Recorded) for each in found)


async def test_the_same_bytes_hours_later(fresh, private_redis) -> None:
    async def check() -> None:
        kafka = await fresh()
        now_s = time.time()
        asked = [payment(number, event_time_s=now_s) for number in range(30)]
        async with mesh(private_redis, kafka) as (here, clock):
            verdicts = await here.decide(*(request(each) for each in asked))
            decisions = [verdict.decision for verdict in verdicts]
            await publish(kafka, *decisions[:10], commit=False)
            await publish(kafka, *decisions[:10])
            await publish(kafka, *decisions[5:29])  # some of them again
            assert not await by_place(here, verdicts[0])
            clock.advance(700)
            await until(lambda: by_place(here, *verdicts[:29]), "the comparison of what is published")
            assert await here.shelf.store.stored_decision(verdicts[29].request.decision_id) == decisions[29], "nothing of it stands there"
            clock.advance(10 * HOUR)
            here.served.scores = [0.999]
            messages = await here.streamed(*asked[:29])
            assert [message.value for message in messages] == decisions[:29]
            for index in (0, 9, 28):
                try:
                    again = await here.score(request(asked[index]), 20.0)
                except MeshError as error:
                    raise AssertionError(error.reason) from error
                assert again.replayed and again.decision == decisions[index]

    uncommitted = rewritten(
        OffsetsInDb, "_started", 'auto_offset_reset="none",', 'auto_offset_reset="none", isolation_level="read_uncommitted",'
    )
    await assert_fails_without("D25", check, uncommitted)


async def test_a_topic_that_was_made_anew_has_none_of_them(fresh, private_redis) -> None:
    """The same offsets of another topic are no records of these decisions."""
    kafka = await fresh()
    asked = payment(1, event_time_s=time.time())
    async with mesh(private_redis, kafka) as (here, clock):
        (verdict,) = await here.decide(request(asked))
        await publish(kafka, verdict.decision)
        clock.advance(700)
        await until(lambda: by_place(here, verdict), "the comparison")
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        topic = kafka.topic_prefix + OUTPUT
        await admin.delete_topics([topic])
        await until(lambda: _made(admin, topic), "the new topic")
        await admin.close()
        await publish(kafka, verdict.decision)
        with pytest.raises(MeshError) as failed:
            await here.score(request(asked), 20.0)
        assert failed.value.reason == "DECISION_UNREADABLE"


async def _made(admin: AIOKafkaAdminClient, topic: str) -> bool:
    answer = await admin.create_topics([NewTopic(topic, 4, 1)])
    return all(code == 0 for _, code, _ in answer.topic_errors)
