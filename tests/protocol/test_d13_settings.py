"""D13. Consumers say what they want; readers of the log stop at its stable end, told by position; restores wait for open transactions."""

import asyncio
from contextlib import AsyncExitStack
from typing import ClassVar
from unittest.mock import AsyncMock

import pytest
from aiokafka import TopicPartition
from meshkit.config import KafkaSettings
from meshkit.errors import Unavailable
from meshkit.events import clients, transactional
from meshkit.events.exactly_once import ExactlyOnce
from meshkit.events.message import Message
from meshkit.events.offsets_in_db import OffsetsInDb
from meshkit.events.replay import TopicReader
from meshkit.events.transactional import send_all, start_transactional
from meshkit.testing.keys import payload_sealer

from tests.protocol.desks import Health
from tests.protocol.loops import INPUT, OUTPUT, Echo, until
from tests.protocol.mutants import assert_fails_without, rewritten, swapped

EXPLICIT = {"enable_auto_commit": False, "isolation_level": "read_committed"}


class Spy:
    """Stands for aiokafka's clients: remembers how it was made, and can't connect."""

    options: ClassVar[dict[str, object]] = {}

    def __init__(self, **options: object) -> None:
        Spy.options = options

    async def start(self) -> None:
        """Nobody is there."""
        raise asyncio.CancelledError

    async def stop(self) -> None:
        """Nothing to stop."""


async def options_of(work) -> dict[str, object]:
    """How the work makes its client."""
    Spy.options = {}
    with swapped(clients, "AIOKafkaConsumer", Spy), swapped(clients, "AIOKafkaProducer", Spy):
        await asyncio.gather(asyncio.create_task(work()), return_exceptions=True)
    return Spy.options


class Positions:
    """A sink that knows nothing."""

    async def positions(self, topic):
        return {}


@pytest.mark.parametrize("kind", ["member", "reader", "replay"])
async def test_consumers_are_explicit(kind) -> None:
    kafka = KafkaSettings()

    async def check() -> None:
        if kind == "reader":
            options = await options_of(lambda: transactional.start_reader(kafka, TopicPartition(INPUT, 0), 0))
        elif kind == "member":
            options = await options_of(ExactlyOnce(kafka, INPUT, "g", Echo(kafka), Health(), payload_sealer())._joined)
        else:
            with swapped(TopicReader, "partitions", AsyncMock()):
                options = await options_of(TopicReader(kafka, OUTPUT)._connected)
        assert options.items() >= {**EXPLICIT, "auto_offset_reset": "earliest"}.items()

    lines = ("enable_auto_commit=False,", "auto_offset_reset=auto_offset_reset,", "isolation_level=isolation_level,")
    await assert_fails_without("D13", check, *(rewritten(clients, "consumer", line) for line in lines))


async def test_a_consumer_with_offsets_of_its_own_is_never_reset() -> None:
    async def work() -> None:
        async with AsyncExitStack() as stack:
            await OffsetsInDb(KafkaSettings(), INPUT, Positions(), Health())._started(stack)

    options = await options_of(work)
    assert options.items() >= {**EXPLICIT, "auto_offset_reset": "none"}.items()


async def test_a_dead_process_pins_readers_for_ten_seconds_at_most() -> None:
    options = await options_of(lambda: start_transactional(KafkaSettings(), "id"))
    assert options["transaction_timeout_ms"] == 10_000
    assert options["acks"] == "all"


async def write(kafka, *values: bytes, transaction_id: str = "t"):
    """Open a transaction and send; the caller ends it."""
    producer = await start_transactional(kafka, kafka.topic_prefix + transaction_id)
    await producer.begin_transaction()
    await send_all(producer, [Message(kafka.topic_prefix + OUTPUT, 0, b"k", value, []) for value in values])
    return producer


async def values(kafka, found: list[bytes] | None = None, *, wait_for_open: bool = False) -> list[bytes]:
    """Read the topic once to its end, filling ``found`` meanwhile."""
    reader, found = TopicReader(kafka, OUTPUT), [] if found is None else found
    try:
        async for records, _ in reader.read(0, 0, wait_for_open=wait_for_open):
            found += [record.value for record in records]
    finally:
        await reader.aclose()
    return found


@pytest.mark.stack
async def test_a_marker_at_the_end_does_not_hold_the_reader(fresh) -> None:
    async def check() -> None:
        kafka = await fresh()
        producer = await write(kafka, b"1", b"2")
        await producer.commit_transaction()
        await producer.stop()
        producer = await write(kafka, b"3")
        await producer.abort_transaction()
        await producer.stop()
        found: list[bytes] = []
        reading = asyncio.create_task(values(kafka, found))
        await until(lambda: found, "the first records")
        producer = await write(kafka, b"4")  # whoever still waits behind the marker sees this one
        await producer.commit_transaction()
        await producer.stop()
        assert await reading == [b"1", b"2"]

    async def until_the_last_record(self, partition, first_offset, max_records=1000, *, wait_for_open=False):
        consumer = await self._connected()
        tp = TopicPartition(self.topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        consumer.seek(tp, first_offset)
        last = -1
        while last < end - 1:
            records = (await consumer.getmany(tp, timeout_ms=200)).get(tp, [])
            last = records[-1].offset if records else last
            yield records, last + 1

    await assert_fails_without("D13", check, swapped(TopicReader, "read", until_the_last_record))


@pytest.mark.stack
async def test_an_open_transaction_holds_a_restore_and_nobody_else(fresh) -> None:
    async def check() -> None:
        kafka = await fresh()
        producer = await write(kafka, b"1")
        try:
            assert await values(kafka) == []
            restoring = asyncio.create_task(values(kafka, wait_for_open=True))
            for _ in range(3):  # whoever does not wait is through sooner than who begins after it, again and again
                assert await values(kafka) == []
            waits = not restoring.done()
            await producer.commit_transaction()
            assert await restoring == [b"1"]
            assert waits
        finally:
            await producer.stop()

    genuine = TopicReader.read
    impatient = swapped(TopicReader, "read", lambda self, *args, wait_for_open=False: genuine(self, *args))
    await assert_fails_without("D9", check, impatient)


@pytest.mark.stack
async def test_offsets_before_retention_and_beyond_the_end(fresh) -> None:
    kafka = await fresh()
    producer = await write(kafka, b"1")
    await producer.commit_transaction()
    await producer.stop()
    reader = TopicReader(kafka, OUTPUT)
    try:
        assert [next_offset async for _, next_offset in reader.read(0, 7)] == [2]  # of a topic that is shorter now all is read
        assert await reader.offset_at(0, 0) == 0
        with pytest.raises(Unavailable):
            await TopicReader(kafka, "no.such.topic").partitions()
    finally:
        await reader.aclose()
