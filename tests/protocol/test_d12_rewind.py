"""D12. After an abort, a fence or a commit of unknown outcome the consumer goes back to the committed offset. D7: one transaction."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, RequestTimedOutError
from meshkit.errors import Unavailable
from meshkit.events import partition_worker
from meshkit.events.partition_worker import PartitionWorker

from tests.protocol.loops import AUDIT, PATIENCE_S, Echo, committed, send, until, visible, working
from tests.protocol.mutants import assert_fails_without, swapped

pytestmark = pytest.mark.stack


async def stays(self) -> int:
    """The mutant: whoever starts again goes on behind what was read."""
    if not getattr(self, "began", False):
        self.began = True
        return await genuine_committed(self)
    return (await self._work.member.end_offsets([self._tp]))[self._tp]


genuine_committed = PartitionWorker._committed


def once(work):
    """Run ``work`` at the first call only."""
    done = False

    async def maybe(*args, **kwargs):
        nonlocal done
        if not done:
            done = True
            await work(*args, **kwargs)

    return maybe


async def answered(kafka, echo: Echo) -> None:
    """Send on and on until something behind the first batch, which fails, is answered; all of it must be, exactly once and in order."""
    sent = [b"1", b"2"]
    async with working(kafka, echo):
        await send(kafka, *sent)
        await until(lambda: echo.batches, "the first batch")
        while not set(await visible(kafka)) - {b"1", b"2"}:
            sent.append(b"%d" % (len(sent) + 1))
            assert len(sent) < 1_000
            await send(kafka, sent[-1])
        await until(lambda: _all(kafka, len(sent)), "the last offset")
    assert await visible(kafka) == sent
    assert b"+".join(await visible(kafka, AUDIT)) == b"+".join(sent)


async def _all(kafka, count: int) -> bool:
    return await committed(kafka) == count


async def test_an_abort_between_send_and_commit(fresh) -> None:
    async def check() -> None:
        kafka = await fresh()
        echo = Echo(kafka)

        async def fails() -> None:
            raise Unavailable("the store forgot", reason="STORE_NOT_RESTORED")

        echo.on_confirm = once(fails)
        await answered(kafka, echo)
        assert len(echo.epochs) == 2, "an abort begins a new epoch (rule D3)"

    await assert_fails_without("D12", check, swapped(PartitionWorker, "_committed", stays))


async def test_offsets_that_the_coordinator_refuses(fresh) -> None:
    async def check() -> None:
        kafka = await fresh()
        genuine = AIOKafkaProducer.send_offsets_to_transaction
        calls = 0

        async def refused(self, offsets, group):
            nonlocal calls
            calls += 1
            if calls == 1:
                raise KafkaError("coordinator not available")
            await genuine(self, offsets, group)

        with swapped(AIOKafkaProducer, "send_offsets_to_transaction", refused):
            await answered(kafka, Echo(kafka))

    await assert_fails_without("D12", check, swapped(PartitionWorker, "_committed", stays))


async def test_a_commit_of_unknown_outcome(fresh) -> None:
    """The broker committed, the answer got lost: nothing may be answered twice."""

    async def check() -> None:
        kafka = await fresh()
        genuine = AIOKafkaProducer.commit_transaction
        calls = 0

        async def lost(self):
            nonlocal calls
            calls += 1
            await genuine(self)
            if calls == 1:
                raise RequestTimedOutError

        with swapped(AIOKafkaProducer, "commit_transaction", lost):
            await answered(kafka, Echo(kafka))

    async def to_the_last_batch(self) -> int:
        return max(await genuine_committed(self) - 2, 0)

    await assert_fails_without("D12", check, swapped(PartitionWorker, "_committed", to_the_last_batch))


async def test_a_process_that_is_killed_between_send_and_commit(fresh) -> None:
    """The first process ends inside its open transaction; its successor answers the batch, and readers see it once."""

    async def check() -> None:
        kafka = await fresh()
        sent, echo = asyncio.Event(), Echo(kafka)

        async def stuck() -> None:
            sent.set()
            await asyncio.Event().wait()

        echo.on_confirm = stuck
        await send(kafka, b"1", b"2")
        async with working(kafka, echo):
            await until(sent.is_set, "answers to be sent")
            assert await visible(kafka) == [], "nothing shows before the commit"
        successor = Echo(kafka)
        async with working(kafka, successor):
            await until(lambda: successor.commits, "the successor's commit")
        assert await visible(kafka) == [b"1", b"2"]
        assert await visible(kafka, AUDIT) == [b"1+2"]
        assert await committed(kafka) == 2

    async def plain(self, producer, records, poison, likely) -> tuple[dict, bool]:
        """The mutant: outputs go out before the offsets, in a transaction of their own."""
        messages = await self._work.handler.handle(self._tp.partition, records)
        async with producer.transaction():
            written = await partition_worker.send_all(producer, messages)
        await self._work.handler.confirm(self._tp.partition)
        async with producer.transaction():
            await producer.send_offsets_to_transaction({self._tp: records[-1].offset + 1}, kafka_group(self))
        return written, True

    def kafka_group(worker) -> str:
        return worker._work.kafka.topic_prefix + worker._work.group

    await assert_fails_without("D7", check, swapped(PartitionWorker, "_transacted", plain))


async def test_the_handler_learns_the_last_offset_of_each_partition(fresh) -> None:
    async def check() -> None:
        kafka = await fresh()
        echo = Echo(kafka)
        await send(kafka, *(b"%d" % n for n in range(7)))
        async with working(kafka, echo, max_batch=7):
            await until(lambda: sum(map(len, echo.batches)) == 7 and len(echo.commits) == len(echo.batches), "all commits")
        (last,) = (offset for (topic, _), offset in echo.commits[-1].items() if topic.endswith("Decided"))
        markers = len(echo.commits) - 1  # each commit takes an offset of its own
        assert last == 6 + markers

    async def first_offsets(producer, messages):
        return {place: offset - 3 for place, offset in (await genuine(producer, messages)).items()}

    genuine = partition_worker.send_all
    await assert_fails_without("D9", check, swapped(partition_worker, "send_all", first_offsets))


async def test_a_store_that_is_down_at_assignment_fences_nobody(fresh) -> None:
    """The worker waits with the right it has: somebody who answers without the store (rule D22) must not be fenced again and again."""

    async def check() -> None:
        kafka = await fresh()
        echo, tried = Echo(kafka), 0
        started = 0
        genuine = partition_worker.start_transactional

        async def counted(*args):
            nonlocal started
            started += 1
            return await genuine(*args)

        async def down() -> None:
            nonlocal tried
            tried += 1
            if tried <= 12:  # four partitions, three times each
                raise Unavailable("down", reason="FEATURE_STORE_DOWN")

        echo.on_assigned = down
        await send(kafka, b"1")
        with swapped(partition_worker, "start_transactional", counted):
            async with working(kafka, echo):
                await until(lambda: echo.commits, "a commit")
        assert started == 4

    async def impatient(self):
        await self._work.handler.assigned(self._tp.partition, 1)

    await assert_fails_without("D22", check, swapped(PartitionWorker, "_assigned", impatient))


async def test_a_worker_that_is_cancelled_from_inside_is_no_silence(fresh) -> None:
    kafka = await fresh()
    echo = Echo(kafka)

    async def escaped() -> None:
        raise asyncio.CancelledError

    echo.on_handle = escaped
    await send(kafka, b"1")
    with pytest.raises(RuntimeError, match="from inside"):
        async with working(kafka, echo):
            await asyncio.sleep(PATIENCE_S)  # ended by the loop
