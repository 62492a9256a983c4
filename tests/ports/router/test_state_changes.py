"""Changes of engines' states over a real Kafka: in order, once each, whoever was away."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from backends.health.announced import Announced
from backends.health.states import Change, State
from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from finmesh.inference.v1.worker_pb2 import WORKER_ROLE_DECODE, WorkerDescription
from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events.broadcasts import Announcer, follow
from meshkit.events.message import Message
from router.consumers.backend_states import BackendStates
from router.domain.pool_history import PoolHistory
from router.translate.state_changes import TOPIC
from router.usecases.on_backend_state_changed import OnBackendStateChanged

from tests.stack import Stack

pytestmark = pytest.mark.stack
SECONDS = 60.0


@pytest.fixture
async def kafka(stack: Stack) -> KafkaSettings:
    """A topic of this test alone."""
    settings = KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=f"t-{secrets.token_hex(4)}-", request_timeout_ms=2_000)
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(settings.topic_prefix + TOPIC, 1, 1)])
    finally:
        await admin.close()
    return settings


@asynccontextmanager
async def reading(kafka: KafkaSettings) -> AsyncIterator[PoolHistory]:
    """A router's history, as it is kept."""
    history = PoolHistory()
    task = asyncio.create_task(follow(kafka, TOPIC, BackendStates(OnBackendStateChanged(history))))
    try:
        yield history
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def telling(kafka: KafkaSettings, service: str = "inference-decode") -> AsyncIterator[Announced]:
    async with aclosing(Announcer(kafka)) as announcer:
        announced = Announced(announcer, kafka.topic_prefix, service)
        task = asyncio.create_task(announced.run())
        try:
            yield announced
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def engine(name: str) -> WorkerDescription:
    return WorkerDescription(worker_id=name, incarnation="一", role=WORKER_ROLE_DECODE, vendor="昇腾", kind="triton", model="m", zone="z")


def turns(announced: Announced, name: str, count: int) -> None:
    before = None
    for number in range(count):
        after = State.ISOLATED if number % 2 else State.READY
        announced(engine(name), Change(before, after, "ENGINE_SLOW" if number % 2 else "", "原因" if number % 2 else ""))
        before = after


def of(history: PoolHistory, name: str) -> list[BackendStateChanged]:
    return [BackendStateChanged.FromString(each.told) for each in history.newest(10_000) if each.worker == name]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def test_changes_are_told_in_order_and_replayed_after_everybody_was_restarted(kafka: KafkaSettings) -> None:
    async with reading(kafka) as history:
        async with telling(kafka) as announced, telling(kafka, "inference-prefill") as other:
            turns(announced, "decode-0", 20)
            turns(announced, "解码-1", 7)
            turns(other, "prefill-0", 5)
            await until(lambda: len(history.newest(100)) == 32)
        async with telling(kafka) as again:
            turns(again, "decode-0", 3)
            await until(lambda: len(history.newest(100)) == 35)
        first = history.newest(100)
    async with reading(kafka) as replayed:
        await until(lambda: len(replayed.newest(100)) == 35)
        assert replayed.newest(100) == first
        told = of(replayed, "decode-0")
        assert [each.number for each in told] == [*range(1, 21), 1, 2, 3]
        assert [each.after for each in told[:20]] == [each.before for each in told[1:20]] + [told[19].after]
        assert {(each.reason, each.detail) for each in told} == {("", ""), ("ENGINE_SLOW", "原因")}
        assert {each.instance for each in told} == {announced.instance, again.instance}
        assert (told[0].vendor, told[0].role, told[0].HasField("changed_at")) == ("昇腾", WORKER_ROLE_DECODE, True)
        assert replayed.missed == 0


async def test_what_nobody_can_read_and_what_is_told_twice_is_passed_over(kafka: KafkaSettings) -> None:
    topic = kafka.topic_prefix + TOPIC
    async with reading(kafka) as history, telling(kafka) as announced, aclosing(Announcer(kafka)) as raw:
        turns(announced, "decode-0", 2)
        await until(lambda: len(history.newest(10)) == 2)
        for value in (b"\xff\xff\xff", b"", b"{}", b"null", BackendStateChanged(worker_id="x").SerializeToString()):
            await raw.announce(Message(topic, 0, b"k", value, [("content-type", b"application/json")]))
        again = history.newest(1)[0].told
        for _ in range(2):
            await raw.announce(Message(topic, 0, b"decode-0", again, []))
        turns(announced, "decode-1", 1)
        await until(lambda: of(history, "decode-1"))
        assert len(history.newest(10)) == 3


async def test_nothing_is_lost_while_kafka_is_away_and_nobody_waits_for_it(kafka: KafkaSettings, stack: Stack) -> None:
    broker = stack.pid_of("kafka")
    async with reading(kafka) as history, telling(kafka) as announced:
        turns(announced, "decode-0", 2)
        await until(lambda: len(history.newest(10)) == 2)
        os.kill(broker, signal.SIGSTOP)
        try:
            turns(announced, "decode-0", 30)
            async with aclosing(Announcer(kafka)) as another:
                with pytest.raises(Unavailable):
                    await another.announce(Message(kafka.topic_prefix + TOPIC, 0, b"k", b"", []))
        finally:
            os.kill(broker, signal.SIGCONT)
        await until(lambda: len(history.newest(100)) == 32)
        assert [each.number for each in of(history, "decode-0")] == list(range(1, 33))


async def test_who_begins_before_kafka_waits_for_it(kafka: KafkaSettings, stack: Stack) -> None:
    broker = stack.pid_of("kafka")
    os.kill(broker, signal.SIGSTOP)
    try:
        async with reading(kafka) as history, telling(kafka) as announced:
            turns(announced, "decode-0", 3)
            await asyncio.sleep(0.1)
            os.kill(broker, signal.SIGCONT)
            await until(lambda: len(history.newest(10)) == 3)
    finally:
        os.kill(broker, signal.SIGCONT)
