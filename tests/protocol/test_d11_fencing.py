"""D11. The transactional id belongs to the input partition: whoever takes it last fences everybody before, and no zombie moves offsets."""

import asyncio
from contextlib import suppress
from itertools import count

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from meshkit.errors import Unavailable
from meshkit.events import backoff, partition_worker
from meshkit.events.exactly_once import ExactlyOnce
from meshkit.events.message import Message
from meshkit.events.partition_worker import PartitionWorker
from meshkit.events.transactional import send_all, start_transactional, transactional_id

from tests.protocol.loops import AUDIT, GROUP, INPUT, OUTPUT, Echo, committed, send, settings, until, visible, working
from tests.protocol.mutants import assert_fails_without, swapped

pytestmark = pytest.mark.stack


def unique_ids():
    """The mutant: every producer has an id of its own."""
    numbers = count()
    return swapped(partition_worker, "transactional_id", lambda kafka, group, partition: f"{kafka.topic_prefix}{group}-{next(numbers)}")


def goes_on():
    """The mutant: a worker whose CancelledError was lost does not notice."""
    return swapped(backoff, "end_if_cancelled", lambda: None)


async def gives_up(loop: ExactlyOnce, echo: Echo) -> bool:
    """Whether the worker ends when its partition is revoked; one that goes on answers what is sent then, and is cancelled once more."""
    revoking, batches = asyncio.ensure_future(loop.on_partitions_revoked([_input(echo.kafka)])), len(echo.batches)
    await send(echo.kafka, b"to the successor")
    await until(lambda: revoking.done() or len(echo.batches) > batches, "an end, or another batch")
    ended = len(echo.batches) == batches
    revoking.cancel()
    return ended


async def test_a_fenced_worker_ends_when_its_partition_goes(fresh) -> None:
    """Its transaction cannot be aborted any more; were it to go on, the group could never give the partition to anybody."""

    async def check() -> None:
        kafka = await fresh()
        reached = asyncio.Event()

        async def waits() -> None:
            reached.set()
            await asyncio.Event().wait()

        echo = Echo(kafka, on_confirm=waits)
        async with working(kafka, echo) as loop:
            await send(kafka, b"1")
            await until(reached.is_set, "a transaction to be open")
            successor = await start_transactional(kafka, partition_worker.transactional_id(kafka, GROUP, 0))
            ended = await gives_up(loop, echo)
            await successor.stop()
            assert ended

    await assert_fails_without("D11", check, goes_on())


async def test_a_worker_whose_cancellation_was_lost_ends_after_its_batch(fresh) -> None:
    """Python 3.11's wait_for gives its result to whoever is cancelled right after it; the batch may be committed, the next one may not."""

    async def check() -> None:
        kafka = await fresh()
        reached = asyncio.Event()

        async def loses() -> None:
            echo.on_handle = None
            reached.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

        echo = Echo(kafka, on_handle=loses)
        async with working(kafka, echo) as loop:
            await send(kafka, b"1", b"2")
            await until(reached.is_set, "a batch to be handled")
            assert await gives_up(loop, echo)
        assert await visible(kafka) == [value for batch in echo.batches[:1] for value in batch]

    await assert_fails_without("D11", check, goes_on())


async def test_a_zombie_that_wakes_up_commits_nothing(fresh) -> None:
    """A is paused with a batch in its hands; B takes the partition, answers it and goes on; A wakes up and tries to commit."""

    async def check() -> None:
        kafka = await fresh()
        await send(kafka, b"1", b"2")
        zombie = await start_transactional(kafka, partition_worker.transactional_id(kafka, GROUP, 0))
        successor = await start_transactional(kafka, partition_worker.transactional_id(kafka, GROUP, 0))
        try:
            await successor.begin_transaction()
            await send_all(successor, [Message(kafka.topic_prefix + OUTPUT, 0, b"k", b"answer", ())])
            await successor.send_offsets_to_transaction({_input(kafka): 2}, kafka.topic_prefix + GROUP)
            await successor.commit_transaction()
            fenced = False
            try:
                async with zombie.transaction():
                    await send_all(zombie, [Message(kafka.topic_prefix + OUTPUT, 0, b"k", b"zombie's answer", ())])
                    await zombie.send_offsets_to_transaction({_input(kafka): 1}, kafka.topic_prefix + GROUP)
            except KafkaError:
                fenced = True
        finally:
            await zombie.stop()
            await successor.stop()
        assert fenced
        assert await visible(kafka) == [b"answer"]
        assert await committed(kafka) == 2

    await assert_fails_without("D11", check, unique_ids())


def _input(kafka):
    return TopicPartition(kafka.topic_prefix + INPUT, 0)


async def test_a_worker_that_was_fenced_answers_again_from_the_committed_offset(fresh) -> None:
    """Somebody takes the id between handle and commit and answers the first record; the worker learns of it and goes on behind it."""

    async def check() -> None:
        kafka = await fresh()
        echo = Echo(kafka)
        intruder = None

        async def taken_over() -> None:
            nonlocal intruder
            if intruder is None:
                intruder = await start_transactional(kafka, partition_worker.transactional_id(kafka, GROUP, 0))
                async with intruder.transaction():
                    await send_all(intruder, [Message(kafka.topic_prefix + OUTPUT, 0, b"k", b"1", ())])
                    await intruder.send_offsets_to_transaction({_input(kafka): 1}, kafka.topic_prefix + GROUP)

        echo.on_handle = taken_over
        await send(kafka, b"1", b"2")
        try:
            async with working(kafka, echo):
                await until(lambda: echo.commits, "a commit")
                await send(kafka, b"3")
                await until(lambda: len(echo.commits) >= 2 or [b"3"] in echo.batches, "another commit")
                await until(lambda: _is(committed(kafka), 3), "the last offset")
            assert await visible(kafka) == [b"1", b"2", b"3"]
            assert await visible(kafka, AUDIT) == [b"2", b"3"]
            assert len(echo.epochs) == 2 and echo.epochs[0] < echo.epochs[1], "an abort begins a new epoch (rule D3)"
        finally:
            if intruder is not None:
                await intruder.stop()

    await assert_fails_without("D11", check, unique_ids())


async def test_a_fence_and_a_neighbour_that_is_down_at_once(fresh) -> None:
    """A store that is down is when somebody else answers (rule D22): a worker that meets both makes its producer anew."""

    async def check() -> None:
        kafka = await fresh()
        echo = Echo(kafka)
        fences: list[AIOKafkaProducer] = []

        async def fenced() -> None:
            if not fences:
                fences.append(await start_transactional(kafka, partition_worker.transactional_id(kafka, GROUP, 0)))

        async def down() -> None:
            if fences and len(echo.epochs) == 1:
                await asyncio.sleep(0.5)  # the broker refuses the offsets meanwhile
                raise Unavailable("down", reason="FEATURE_STORE_DOWN")

        echo.on_handle, echo.on_committed = down, fenced
        await send(kafka, b"1")
        try:
            async with working(kafka, echo):
                await until(lambda: fences, "the fence")
                await send(kafka, b"2")
                await until(lambda: len(echo.commits) == 2, "a commit of the second record")
            assert await visible(kafka) == [b"1", b"2"]
        finally:
            for fence in fences:
                await fence.stop()

    async def hidden(self, *given) -> tuple[dict, bool]:
        """The mutant: nobody asks what became of the offsets of a batch that has no answers."""
        try:
            return await genuine(self, *given)
        except KafkaError as error:
            raise partition_worker._NeighbourDownError(error) from error

    genuine = PartitionWorker._transacted
    await assert_fails_without("D11", check, swapped(PartitionWorker, "_transacted", hidden))


async def _is(coroutine, value) -> bool:
    return await coroutine == value


def test_the_id_names_environment_group_and_partition() -> None:
    a, b = settings("x", "one."), settings("x", "two.")
    ids = {transactional_id(kafka, group, partition) for kafka in (a, b) for group in ("g", "h") for partition in (0, 1)}
    assert len(ids) == 8
