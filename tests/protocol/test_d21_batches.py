"""D21. Batches adapt: large under backlog, small when the oldest record is young. Nobody waits for a batch to fill."""

import asyncio
from dataclasses import replace

import pytest
from meshkit.events.partition_worker import PartitionWorker
from risk_scoring.steps.coalesce import Coalescer

from tests.protocol.loops import Echo, send, until, working
from tests.protocol.makers import payment, request
from tests.protocol.mutants import assert_fails_without, swapped


@pytest.mark.stack
async def test_the_stream_grows_under_backlog_and_shrinks_without(fresh) -> None:
    async def check() -> None:
        kafka = await fresh()
        echo = Echo(kafka)
        await send(kafka, *(b"%d" % n for n in range(60)))
        async with working(kafka, echo, max_batch=32):
            await until(lambda: sum(map(len, echo.batches)) == 60, "the backlog")
            assert max(map(len, echo.batches)) == 32
            backlog = len(echo.batches)
            for number in range(3):
                await send(kafka, b"young %d" % number)
                await until(lambda n=number: [b"young %d" % n] in echo.batches, "a batch of one")
            assert len(echo.batches) == backlog + 3

    async def one_by_one(self, *given):
        self._work = replace(self._work, max_batch=1)
        await genuine(self, *given)

    genuine = PartitionWorker._loop
    await assert_fails_without("D21", check, swapped(PartitionWorker, "_loop", one_by_one))


async def test_calls_share_a_batch_only_while_all_places_are_busy() -> None:
    async def check() -> None:
        sizes, go_on = [], asyncio.Event()

        async def work(requests, remaining_s):
            sizes.append(len(requests))
            await go_on.wait()
            return list(requests)

        coalescer = Coalescer(work, 64)
        calls = [asyncio.create_task(coalescer.submit(request(payment(n)), 1.0)) for n in range(10)]
        for _ in range(10):
            await asyncio.sleep(0)
        waiting = list(sizes)
        go_on.set()
        await asyncio.gather(*calls)
        assert waiting == [1, 1], "an idle service adds nothing"
        assert sizes == [1, 1, 8], "a busy one shares"

    genuine = Coalescer.__init__
    alone = swapped(Coalescer, "__init__", lambda self, work, max_batch: genuine(self, work, 1))
    await assert_fails_without("D21", check, alone)


async def test_the_same_id_is_never_twice_in_one_batch() -> None:
    seen = []

    async def work(requests, remaining_s):
        seen.append([each.decision_id for each in requests])
        await asyncio.sleep(0)
        return list(requests)

    coalescer = Coalescer(work, 64)
    await asyncio.gather(*(coalescer.submit(request(payment(n % 3)), 1.0) for n in range(12)))
    assert all(len(set(batch)) == len(batch) for batch in seen)
    assert sum(map(len, seen)) == 12
