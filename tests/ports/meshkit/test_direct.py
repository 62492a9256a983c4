"""A message that goes straight to its partition's leader stands there once and in its order, whatever breaks on its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events import clients, direct
from meshkit.events.message import Message
from meshkit.events.publisher import Publisher, recorded

from tests.protocol.mutants import swapped

pytestmark = pytest.mark.stack
HEADERS = [("ce_id", b"1"), ("traceparent", b"00-1-1-01")]
COMPACTED = "finmesh.risk.v1.ListEntryChanged"
TOPIC = "finmesh.risk.v1.TransactionDecided"


class Log:
    """A topic of this test alone."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka, self.topic = kafka, kafka.topic_prefix + TOPIC
        self.publisher = Publisher(kafka)

    def message(self, number: int, partition: int = 0) -> Message:
        return Message(self.topic, partition, f"账户-{number}".encode(), str(number).encode(), HEADERS)

    async def written(self, partition: int = 0) -> list[Any]:
        """Every record of a partition, up to what stands there now."""
        place = TopicPartition(self.topic, partition)
        consumer: AIOKafkaConsumer = await clients.started(clients.consumer(self.kafka))
        try:
            consumer.assign([place])
            consumer.seek(place, 0)
            end, found = (await consumer.end_offsets([place]))[place], []
            while await consumer.position(place) < end:
                found += (await consumer.getmany(timeout_ms=200)).get(place, [])
            return found
        finally:
            await clients.stopped(consumer)

    async def numbers(self, partition: int = 0) -> list[int]:
        return [int(record.value) for record in await self.written(partition)]


@pytest.fixture
async def log(stack, provisioned: str) -> AsyncIterator[Log]:
    log = Log(KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=provisioned))
    await log.publisher.partitions(log.topic)
    yield log
    await log.publisher.aclose()


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each message went directly."""
    taken: list[bool] = []
    genuine = direct.free

    def seen(producer: Any, message: Message) -> direct.Way | None:
        way = genuine(producer, message)
        taken.append(way is not None)
        return way

    monkeypatch.setattr(direct, "free", seen)
    return taken


async def test_a_record_is_what_the_sender_would_have_written(log: Log, ways: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    await log.publisher.write([log.message(1)])
    monkeypatch.setattr(direct, "free", lambda producer, message: None)
    await log.publisher.write([log.message(1)])
    first, second = await log.written()
    assert ways == [True]
    assert (first.key, first.value, first.headers) == (second.key, second.value, second.headers)
    assert list(first.headers) == HEADERS and first.key == "账户-1".encode()
    assert (first.offset, second.offset) == (0, 1) and 0 <= second.timestamp - first.timestamp < 60_000


@pytest.mark.parametrize("headers", [(), tuple(HEADERS)])
async def test_headers_are_any_sequence_either_way(log: Log, ways: list[bool], headers: tuple[tuple[str, bytes], ...]) -> None:
    message = Message(log.topic, 0, b"k", b"1", headers)
    await log.publisher.write([message])
    await log.publisher.write([message, message])
    assert ways == [True]
    assert [record.headers for record in await log.written()] == [headers] * 3


async def test_many_at_once_stand_once_each_and_in_the_order_they_were_sent(log: Log, ways: list[bool]) -> None:
    sent = []
    for number in range(60):
        sent.append(asyncio.ensure_future(recorded(await log.publisher.send([log.message(number, number % 2)]))))
        if number % 7 == 0:
            await asyncio.sleep(0.002)
    await asyncio.gather(*sent)
    assert await log.numbers(0) == [*range(0, 60, 2)]
    assert await log.numbers(1) == [*range(1, 60, 2)]
    assert True in ways and False in ways, "both ways are gone beside one another"


async def test_what_was_written_before_the_connection_broke_is_not_written_twice(log: Log) -> None:
    """The broker has it, its answer never comes: the batch goes again under the number that it has."""
    genuine, broken = AIOKafkaClient.send, []

    async def breaks(self, node_id, request, **options):
        answer = await genuine(self, node_id, request, **options)
        if isinstance(request, direct._Produce) and not broken:
            broken.append(node_id)
            raise KafkaConnectionError("broken")
        return answer

    with swapped(AIOKafkaClient, "send", breaks):
        for number in range(4):
            await log.publisher.write([log.message(number)])
    assert broken and await log.numbers() == [0, 1, 2, 3]

    broken.clear()
    with swapped(AIOKafkaClient, "send", breaks), swapped(direct.Way, "go", _sent_anew):
        await log.publisher.write([log.message(4)])
    assert await log.numbers() == [0, 1, 2, 3, 4, 4], "what the number is for"


async def _sent_anew(self):
    """As ``Way.go``, but what broke goes again as a message of its own."""
    with suppress(KafkaConnectionError):
        await self._producer.client.send(self._leader, direct._Produce(self._batch.tp, self._batch.get_data_buffer(), -1, 5_000))
    self._batch.done(0)
    self._sender._muted_partitions.remove(self._batch.tp)
    await self._producer.send_and_wait(self._batch.tp.topic, b"4", b"k", self._batch.tp.partition)


async def test_a_caller_who_leaves_stops_nothing(log: Log) -> None:
    genuine, under_way = AIOKafkaClient.send, asyncio.Event()

    async def held(self, node_id, request, **options):
        if isinstance(request, direct._Produce) and not under_way.is_set():
            under_way.set()
            await asyncio.Event().wait()
        return await genuine(self, node_id, request, **options)

    with swapped(AIOKafkaClient, "send", held):
        leaves = asyncio.create_task(log.publisher.write([log.message(0)]))
        await under_way.wait()
        behind = asyncio.create_task(log.publisher.write([log.message(1)]))
        await asyncio.sleep(0)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        await behind
    assert await log.numbers() == [0, 1]


async def test_what_the_broker_refuses_is_refused_as_ever(log: Log, ways: list[bool]) -> None:
    await log.publisher.partitions(log.kafka.topic_prefix + COMPACTED)
    with pytest.raises(Unavailable) as caught:
        await log.publisher.write([Message(log.topic, 0, None, b"x" * 1_200_000, [])])
    assert caught.value.reason == "NOT_RECORDED"
    await log.publisher.write([log.message(1)])
    assert await log.numbers() == [1]
    ways.clear()
    with pytest.raises(Unavailable) as caught:
        await log.publisher.write([Message(log.kafka.topic_prefix + COMPACTED, 0, None, b"a compacted topic wants a key", [])])
    assert caught.value.reason == "NOT_RECORDED" and ways == [True]


async def test_nothing_is_left_under_way_at_the_end(log: Log) -> None:
    written = [asyncio.create_task(log.publisher.write([log.message(number)])) for number in range(20)]
    await asyncio.sleep(0)
    await log.publisher.aclose()
    await asyncio.gather(*written)
    assert await log.numbers() == [*range(20)]
