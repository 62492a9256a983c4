"""D26. A record that our code alone fails on becomes a dead letter and its neighbours go on; when all fail the partition stands."""

import gzip
import struct
from collections.abc import Callable, Sequence

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from meshkit.errors import DeadlineExceeded, InvalidArgument, Overloaded, Unavailable
from meshkit.events import header_keys, partition_worker
from meshkit.events.dead_letter import SUFFIX, rejected
from meshkit.events.poison import Isolation, place_of
from meshkit.testing.keys import payload_sealer

from tests.protocol.desks import Health
from tests.protocol.loops import AUDIT, INPUT, Echo, committed, never, send, until, visible, working
from tests.protocol.mutants import assert_fails_without, swapped

pytestmark = pytest.mark.stack
LETTERS = INPUT + SUFFIX


class Failing(Echo):
    """Echoes; fails on what begins with ``bad``, as ``error`` says, and refuses what begins with ``refused``."""

    error: Callable[[], Exception] = AttributeError

    async def handle(self, partition, records) -> Sequence:
        """Fail for the whole batch when one record of it is bad."""
        if any(record.value.startswith(b"bad") for record in records):
            self.batches.append([record.value for record in records])
            raise self.error()
        refused = [record for record in records if record.value.startswith(b"refused")]
        good = [record for record in records if record not in refused]
        echoes = await super().handle(partition, good) if good else ()
        return [*echoes, *(rejected(SEALER, record, InvalidArgument("no")) for record in refused)]


SEALER = payload_sealer()


async def letters(kafka) -> list[dict[str, bytes]]:
    """Headers of the dead letters, and what was sealed."""
    tp = TopicPartition(kafka.topic_prefix + LETTERS, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, isolation_level="read_committed") as consumer:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end, found = (await consumer.end_offsets([tp]))[tp], []
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(tp, timeout_ms=200)).values():
                found += [dict(r.headers) | {"payload": SEALER.open(r.value, r.key.decode())} for r in records]
    return found


async def is_committed(kafka, offset: int) -> bool:
    return await committed(kafka) == offset


async def test_a_poison_record_leaves_and_its_neighbours_go_on(fresh) -> None:
    async def check() -> None:
        kafka, health = await fresh(), Health()
        await send(kafka, b"1", b"2", b"bad", b"3", b"bad too", b"4")
        echo = Failing(kafka)
        async with working(kafka, echo, health=health):
            await until(lambda: is_committed(kafka, 6), "the last offset")
            assert health.missing == {"poison": f"INTERNAL_ERROR {kafka.topic_prefix}{INPUT}/0/4"}
        assert await visible(kafka) == [b"1", b"2", b"3", b"4"]
        assert b"+".join(await visible(kafka, AUDIT)) == b"1+2+3+4"
        found = await letters(kafka)
        assert [(each["payload"], each["reason"], each["source_offset"]) for each in found] == [
            (b"bad", b"INTERNAL_ERROR", b"2"),
            (b"bad too", b"INTERNAL_ERROR", b"4"),
        ]
        assert all(each["detail"].startswith(b"AttributeError at handle:") for each in found)
        assert echo.epochs == sorted(echo.epochs) and len(echo.epochs) == 2, "what was numbered while it was looked for is never sent"

    async def whole_batch(records, attempt) -> tuple[dict, bool]:
        """The mutant: nobody splits the batch."""
        return {place_of(record): AttributeError() for record in records}, True

    await assert_fails_without("D26", check, swapped(partition_worker, "failing_alone", whole_batch))


async def test_a_release_that_fails_on_everything_drains_nothing(fresh) -> None:
    """Nothing becomes a dead letter and nothing is committed; the health says so. A refusal speaks for no release."""

    async def check() -> None:
        kafka, health = await fresh(), Health()
        await send(kafka, b"bad 1", b"refused", b"bad 2", b"bad 3")
        async with working(kafka, Failing(kafka), health=health):
            await stands(health)
            await send(kafka, b"bad 4")
            await never(lambda: "poison" in health.missing, "something was taken out", 2.0)
        assert await committed(kafka) is None
        assert await letters(kafka) == []

    await assert_fails_without("D26", check, swapped(Isolation, "check", takes_out_whatever_fails))


def takes_out_whatever_fails(self, found, answered) -> None:
    """The mutant: nobody asks what speaks for the code."""


async def stands(health) -> None:
    """The partition stands; nothing is taken out."""
    await until(lambda: "poison" in health.missing or health.missing.get("stream-0") == "INTERNAL_ERROR", "something to happen")
    assert "poison" not in health.missing


async def test_a_single_record_waits_for_a_neighbour_and_leaves_then(fresh) -> None:
    """The first record that a process meets is poison: whether it or the release is at fault shows with the next."""

    async def check() -> None:
        kafka, health = await fresh(), Health()
        await send(kafka, b"bad")
        async with working(kafka, Failing(kafka), health=health):
            await stands(health)
            await send(kafka, b"1")
            await until(lambda: is_committed(kafka, 2), "the neighbour's commit")
            assert "stream-0" not in health.missing
        assert await visible(kafka) == [b"1"]
        assert [each["payload"] for each in await letters(kafka)] == [b"bad"]

    await assert_fails_without("D26", check, swapped(Isolation, "check", takes_out_whatever_fails))


async def test_one_success_pays_for_one_single_record(fresh) -> None:
    """In a quiet topic a poison record leaves at once; a release that turns bad takes out one record and then stands."""

    async def check() -> None:
        kafka, health = await fresh(), Health()
        echo = Failing(kafka)
        async with working(kafka, echo, health=health):
            await send(kafka, b"1")
            await until(lambda: len(echo.commits) == 1, "the first commit")
            await send(kafka, b"bad 1")
            await until(lambda: len(echo.commits) == 2, "the dead letter")
            del health.missing["poison"]
            await send(kafka, b"bad 2")
            await stands(health)
        assert [each["payload"] for each in await letters(kafka)] == [b"bad 1"]
        assert await committed(kafka) == 2

    await assert_fails_without("D26", check, swapped(Isolation, "check", takes_out_whatever_fails))


@pytest.mark.parametrize(
    "error",
    [lambda: Unavailable("down"), lambda: DeadlineExceeded("late"), lambda: Overloaded("full"), lambda: OSError("no route"), TimeoutError],
)
async def test_what_says_to_wait_is_never_held_against_a_record(fresh, error) -> None:
    kafka, health = await fresh(), Health()
    echo = Failing(kafka)
    echo.error = error
    await send(kafka, b"1", b"bad", b"2")
    async with working(kafka, echo, health=health):
        await until(lambda: len(echo.batches) >= 3, "some attempts")
        assert "poison" not in health.missing and health.missing["stream-0"]
        assert all(len(batch) == 3 for batch in echo.batches), "nobody looked at records alone"
    assert await letters(kafka) == []


async def test_records_that_fail_together_and_not_alone_are_answered_apart(fresh) -> None:
    kafka = await fresh()
    echo = Echo(kafka)

    async def crowded() -> None:
        if len(echo.batches[-1]) > 2:
            raise ValueError

    echo.on_handle = crowded
    await send(kafka, *(b"%d" % n for n in range(7)))
    async with working(kafka, echo):
        await until(lambda: is_committed(kafka, 7), "the last offset")
    assert await visible(kafka) == [b"%d" % n for n in range(7)]
    assert await letters(kafka) == []


async def send_with_wrong_key(kafka, *values: bytes, compressed: bool) -> None:
    """Write a batch whose second record has a header key that is not UTF-8: no client of ours can, others can (format: KIP-98)."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        builder = producer.create_batch()
        for number, value in enumerate(values):
            builder.append(timestamp=None, key=b"k", value=value, headers=[("ce_tenant", b"a"), ("@@", None)] if number == 1 else [])
        raw = bytes(builder._build()).replace(b"@@", b"\xff\xfe")
        head, records = raw[:61], raw[61:]
        if compressed:
            records = gzip.compress(records)
            head = head[:8] + struct.pack(">i", 49 + len(records)) + head[12:22] + b"\x01" + head[23:]
        checked = head[21:] + records
        builder._buffer = head[:17] + struct.pack(">I", calc_crc32c(checked)) + checked
        await (await producer.send_batch(builder, kafka.topic_prefix + INPUT, partition=0))


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_header_key_that_is_not_utf8_stops_nobody(fresh, compressed) -> None:
    async def check() -> None:
        kafka = await fresh()
        await send(kafka, b"0")
        await send_with_wrong_key(kafka, b"1", b"2", b"3", compressed=compressed)
        await send(kafka, b"4")
        try:
            async with working(kafka, Echo(kafka)):
                await until(lambda: is_committed(kafka, 5), "the last offset")
        except UnicodeDecodeError as error:
            raise AssertionError("the loop ended") from error
        assert await visible(kafka) == [b"0", b"1", b"2", b"3", b"4"]

    await assert_fails_without("D26", check, swapped(header_keys, "install", connection_as_it_comes))


def connection_as_it_comes() -> None:
    """The mutant: aiokafka reads as it comes."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = MemoryRecords, header_keys._PartitionRecords.__base__
