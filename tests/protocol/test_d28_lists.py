"""D28. Nothing is decided before block lists and trusted payees were read to their end; lists made anew take the old ones' place whole."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from finmesh.risk.v1.decision_pb2 import OUTCOME_DECLINE, TransactionDecided
from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from google.protobuf.timestamp_pb2 import Timestamp
from localmesh.ports import free_ports
from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.replay import TopicReader
from risk_scoring.consumers import list_entries
from risk_scoring.consumers.list_entries import ListEntries
from risk_scoring.domain.lists import NOT_READ, ListSnapshot
from risk_scoring.domain.snapshot import Snapshot
from risk_scoring.translate.list_changes import LIST_TOPIC, list_change
from risk_scoring.usecases.on_list_entry_changed import OnListEntryChanged

from tests.protocol.desks import Health, desk
from tests.protocol.loops import send, until
from tests.protocol.makers import NOW, payment, request
from tests.protocol.mutants import assert_fails_without, swapped


def entry(number: int, account: str = "") -> bytes:
    """Account ``number`` is blocked."""
    message = ListEntryChanged(tenant="bank-a", kind=1, entity=2, entity_id=account or f"账户-{number}", author="风控-欺诈组")
    message.expires_at.CopyFrom(Timestamp(seconds=NOW + 10**6))
    return message.SerializeToString()


@pytest.mark.parametrize("path", ["call", "stream", "outage"])
async def test_nothing_is_decided_before_the_lists_are_read(private_redis, path) -> None:
    """A blocked account must not pass because the process is young. It is no failure of the store either."""

    async def check() -> None:
        if private_redis._process is None:
            private_redis.start()
        async with desk(private_redis, after_s=0.0) as here:
            here.policies.lists_changed(NOT_READ)
            if path == "outage":
                here.outage.store_failed(Unavailable("down"))
                private_redis.kill()
                here.outage._begin("FEATURE_STORE_DOWN")
                await until(lambda: here.outage_log.held, "the take-over")

            async def decided() -> bytes:
                if path == "stream":
                    return (await here.streamed(payment(1)))[0].value
                return (await here.score(request(payment(1)), 1.0)).decision

            refused = ""
            try:
                await decided()
            except Unavailable as error:
                refused = error.reason
            assert refused == "LISTS_NOT_READ"
            assert here.outage.active == (path == "outage")
            assert here.log.all() == []
            here.policies.lists_changed(ListSnapshot().apply(blocking(request(payment(1)).transaction.account_id)))
            assert TransactionDecided.FromString(await decided()).outcome == OUTCOME_DECLINE

    await assert_fails_without("D28", check, swapped(Snapshot, "complete", lambda self: self))


def blocking(account: str):
    return list_change(ListEntryChanged.FromString(entry(0, account)))


@asynccontextmanager
async def following(kafka, health=None):
    """The snapshots that were put in force."""
    seen = []
    lists = ListEntries(kafka, OnListEntryChanged(seen.append), health or Health())
    work = asyncio.create_task(lists.follow())
    try:
        yield seen
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await lists.aclose()


@pytest.mark.stack
async def test_the_first_snapshot_is_the_whole_topic(fresh) -> None:
    async def check() -> None:
        kafka, health = await fresh(), Health()
        await send(kafka, *(entry(n) for n in range(25)), b"\xff", topic=LIST_TOPIC)
        with swapped(list_entries, "_TOGETHER", 4):
            async with following(kafka, health) as seen:
                assert not seen
                await until(lambda: seen, "the first snapshot")
                assert (seen[0].size, seen[0].read) == (25, True)
                await until(lambda: "lists" not in health.missing, "ready")
                await send(kafka, entry(99), topic=LIST_TOPIC)
                await until(lambda: seen[-1].size == 26, "a change")

    def half_read(self) -> None:
        """The mutant: what was read so far is in force."""
        self.lists = ListSnapshot()

    await assert_fails_without("D28", check, swapped(OnListEntryChanged, "begin_anew", half_read))


@pytest.mark.stack
async def test_a_topic_made_anew_takes_the_place_of_the_old_one(fresh) -> None:
    """It has more entries than were read of the old one: offsets alone would not tell them apart."""

    async def check() -> None:
        kafka = await fresh()
        await send(kafka, entry(1), entry(2), topic=LIST_TOPIC)
        seen = []
        lists = ListEntries(kafka, OnListEntryChanged(seen.append), Health())
        try:
            await lists.read()
            await recreated(kafka)
            await send(kafka, *(entry(n) for n in range(10, 15)), topic=LIST_TOPIC)
            with swapped(list_entries, "_TOGETHER", 2):
                await lists.read()
        finally:
            await lists.aclose()
        assert [snapshot.size for snapshot in seen] == [2, 5], "the new lists take the place of the old ones whole"

    async def constant(self) -> str:
        await self.partitions()
        return "id"

    await assert_fails_without("D28", check, swapped(TopicReader, "topic_id", constant))


async def recreated(kafka) -> None:
    topic = kafka.topic_prefix + LIST_TOPIC
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        await until(lambda: gone(admin, topic), "the deletion")
        await until(lambda: made(admin, topic), "the creation")
    finally:
        await admin.close()


async def gone(admin, topic) -> bool:
    return topic not in await admin.list_topics()


async def made(admin, topic) -> bool:
    answer = await admin.create_topics([NewTopic(topic, 1, 1)])
    return answer.topic_errors[0][1] in (0, 36)


async def test_a_broker_that_is_down_at_start_is_waited_for() -> None:
    health = Health()
    async with following(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}", request_timeout_ms=500), health) as seen:
        await until(lambda: health.missing.get("lists") == "EVENT_LOG_DOWN", "the health detail")
        assert seen == []
