"""The ports DecisionLog and OutageLog: on the neighbour of the protocol tests and on a real Kafka."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from meshkit.clock import SystemClock
from meshkit.errors import Unavailable
from meshkit.events.transactional import start_transactional, transactional_id
from meshkit.testing.keys import batch_signer
from risk_scoring import translate
from risk_scoring.adapters.kafka_decision_log import KafkaDecisionLog
from risk_scoring.adapters.kafka_outage_log import KafkaOutageLog
from risk_scoring.domain.decision import Verdict
from risk_scoring.translate.messages import account_partition

from tests.protocol import makers
from tests.protocol.desks import EventLog, OutageLog, desk
from tests.protocol.loops import AUDIT, OUTPUT, send, until, visible

ACCOUNT = "ACCT-6217-0001"
KINDS = [pytest.param("memory"), pytest.param("kafka", marks=pytest.mark.stack)]


@asynccontextmanager
async def logs(kind: str, request_fixture) -> AsyncIterator[tuple[object, object, object]]:
    """(decision log, outage log, write raw bytes to the account's partition)."""
    if kind == "memory":
        log = EventLog()

        async def append(value: bytes) -> None:
            log.append(ACCOUNT, value)

        yield log, OutageLog(log), append
        return
    kafka = await request_fixture.getfixturevalue("fresh")()
    outage = KafkaOutageLog(kafka, "group", batch_signer(), translate.decision_id, SystemClock(), 900)

    async def send_value(value: bytes) -> None:
        await send(kafka, value, topic=OUTPUT, partition=account_partition(ACCOUNT, 4))

    try:
        yield KafkaDecisionLog(kafka), outage, send_value
    finally:
        await outage.leave()


@pytest.fixture
async def decided(private_redis) -> list[Verdict]:
    """Decisions of three payments, and another one of the first."""
    now = time.time()
    async with desk(private_redis) as one, desk(private_redis) as two:
        found = await one.decide(*(makers.request(makers.payment(n, event_time_s=now)) for n in range(3)))
        two.served.scores = [0.7]
        return [*found, *(await two.decide(makers.request(makers.payment(0, event_time_s=now))))]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_written_is_read_in_order(kind, decided, request) -> None:
    async with logs(kind, request) as (log, _, append):
        assert list(await log.partitions()) == [0, 1, 2, 3]
        for verdict in decided:
            await append(verdict.decision)
        found, last = [], 0
        async for values, next_offset in log.read(account_partition(ACCOUNT, 4), 1):
            found += values
            last = next_offset
        assert ([each.decision for each in found], last) == ([verdict.decision for verdict in decided[1:]], 4)
        assert [each.place[1:] for each in found] == [(account_partition(ACCOUNT, 4), offset) for offset in (1, 2, 3)]
        assert {len(each.place.topic_id) for each in found} == {16}
        assert await log.kept_s() == 32 * 86_400


@pytest.mark.parametrize("kind", KINDS)
async def test_the_first_record_of_an_id_is_found(kind, decided, request) -> None:
    async with logs(kind, request) as (_, outage, append):
        for verdict in decided:
            await append(verdict.decision)
        await outage.enter()
        partition = await outage.partition_of(ACCOUNT)
        wanted = [decided[0].request.decision_id, bytes(16)]
        assert dict(await outage.first(partition, wanted)) == {wanted[0]: decided[0].decision}
        assert outage.since_s(partition) < time.time()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_decision_of_ours_can_be_read_when_it_is_published(kind, decided, request) -> None:
    async with logs(kind, request) as (_, outage, _append):
        with pytest.raises(Unavailable):
            await outage.partition_of(ACCOUNT)
        await outage.enter()
        partition = await outage.partition_of(ACCOUNT)
        await outage.publish(partition, decided[:2])
        ids = [verdict.request.decision_id for verdict in decided[:2]]
        assert list((await outage.first(partition, ids)).values()) == [verdict.decision for verdict in decided[:2]]
        await outage.leave()
        with pytest.raises(Unavailable):
            await outage.partition_of(ACCOUNT)


@pytest.mark.stack
async def test_how_long_records_are_kept(fresh) -> None:
    kafka = await fresh()
    topic = kafka.topic_prefix + OUTPUT
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    for settings, kept_s in (
        ({"retention.ms": "3600000"}, 3600.0),
        ({"retention.ms": "-1"}, float("inf")),
        ({"retention.ms": "-1", "retention.bytes": "1000000"}, 0.0),
        ({"retention.ms": "-1", "cleanup.policy": "compact"}, 0.0),
        ({"retention.ms": "-1", "cleanup.policy": "compact,delete"}, 0.0),
    ):
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
        await until(lambda wanted=kept_s: _kept(kafka, wanted), f"{settings} in force")
    await admin.delete_topics([topic])
    await until(lambda: _kept(kafka, None), "the end of the topic")
    await admin.close()


async def _kept(kafka, wanted: float | None) -> bool:
    """Brokers hear of a change a moment later."""
    try:
        return await KafkaDecisionLog(kafka).kept_s() == wanted
    except Unavailable:
        return wanted is None


@pytest.mark.stack
async def test_a_right_that_was_lost_is_noticed_and_taken_again(decided, fresh) -> None:
    """Rule D22: the stream or another replica takes the partition; what this process publishes then is refused, and the next try works."""
    kafka = await fresh()
    outage = KafkaOutageLog(kafka, "group", batch_signer(), translate.decision_id, SystemClock(), 900)
    try:
        await outage.enter()
        partition = await outage.partition_of(ACCOUNT)
        stream = await start_transactional(kafka, transactional_id(kafka, "group", partition))
        with pytest.raises(Unavailable) as lost:
            await outage.publish(partition, decided[:1])
        assert lost.value.reason == "NOT_RECORDED"
        assert await visible(kafka, OUTPUT, partition) == []
        await outage.publish(partition, decided[:1])
        assert await visible(kafka, OUTPUT, partition) == [decided[0].decision]
        assert len(await visible(kafka, AUDIT, 0)) == 1
        await stream.stop()
    finally:
        await outage.leave()


@pytest.mark.stack
async def test_bytes_that_are_no_decision_stop_nobody(decided, fresh) -> None:
    kafka = await fresh()
    partition = account_partition(ACCOUNT, 4)
    await send(kafka, b"\xff\xff no protobuf", decided[0].decision, topic=OUTPUT, partition=partition)
    outage = KafkaOutageLog(kafka, "group", batch_signer(), translate.decision_id, SystemClock(), 900)
    try:
        await outage.enter()
        assert await outage.first(partition, [decided[0].request.decision_id])
    finally:
        await outage.leave()
