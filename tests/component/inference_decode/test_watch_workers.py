"""What watchers are told: everything once, then what is new, and everything again when something was missed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from finmesh.inference.v1.worker_pb2 import WORKER_STATE_DRAINING, WORKER_STATE_ISOLATED, WORKER_STATE_READY, KvEvent

from .conftest import Bench

BLOCKS = [bytes([number]) * 16 for number in range(10)]


async def read(news: Any, until: Any) -> list[Any]:
    """Read news until one of them is what is waited for."""
    found = []
    async with asyncio.timeout(10):
        async for each in news:
            found.append(each)
            if until(each):
                return found
    raise AssertionError("the stream ended")


def stored(bench: Bench, seq: int, *blocks: bytes, removed: tuple[bytes, ...] = ()) -> None:
    assert bench.engine.watcher is not None
    bench.engine.watcher.changed(bench.engine.worker_id, KvEvent(seq=seq, stored=blocks, removed=removed))


async def test_a_new_watcher_is_told_description_blocks_and_load(bench: Bench) -> None:
    stored(bench, 1, BLOCKS[0], BLOCKS[1])
    stored(bench, 2, BLOCKS[2], removed=(BLOCKS[0],))
    async with aclosing(bench.watch()) as news:
        found = await read(news, lambda each: each.HasField("load"))
        assert [each.WhichOneof("news") for each in found] == ["description", "event", "load"]
        assert (found[1].event.cleared, found[1].event.seq, list(found[1].event.stored)) == (True, 2, [BLOCKS[1], BLOCKS[2]])
        assert found[2].load.state == WORKER_STATE_READY
        stored(bench, 3, BLOCKS[3])
        *_, newest = await read(news, lambda each: each.HasField("event"))
        assert (newest.event.seq, list(newest.event.stored), newest.event.cleared) == (3, [BLOCKS[3]], False)


async def test_who_comes_back_is_told_what_was_missed_alone(bench: Bench) -> None:
    for seq in range(1, 6):
        stored(bench, seq, BLOCKS[seq])
    async with aclosing(bench.watch(incarnation="first", seq=3)) as news:
        found = await read(news, lambda each: each.HasField("load"))
    assert [each.event.seq for each in found if each.HasField("event")] == [4, 5]
    async with aclosing(bench.watch(incarnation="first", seq=5)) as news:
        found = await read(news, lambda each: each.HasField("load"))
    assert not [each for each in found if each.HasField("event")]


async def test_who_was_away_too_long_or_knew_another_incarnation_is_told_all(bench: Bench) -> None:
    from backends.feed import KEPT

    for seq in range(1, KEPT + 10):
        stored(bench, seq, seq.to_bytes(16))
    for position in ({"incarnation": "first", "seq": 2}, {"incarnation": "zeroth", "seq": 9}, {"incarnation": "first", "seq": KEPT + 99}):
        async with aclosing(bench.watch(**position)) as news:
            found = await read(news, lambda each: each.HasField("load"))
        (event,) = [each.event for each in found if each.HasField("event")]
        assert (event.cleared, event.seq, len(event.stored)) == (True, KEPT + 9, KEPT + 9)


async def test_loads_go_on_when_the_engine_is_dead(bench: Bench) -> None:
    async with aclosing(bench.watch()) as news:
        await read(news, lambda each: each.HasField("load"))
        bench.engine.fail("ENGINE_HUNG")
        for _ in range(3):
            *_, told = await read(news, lambda each: each.HasField("load") and each.load.state == WORKER_STATE_ISOLATED)
            assert told.load.reason == "ENGINE_HUNG"


async def test_another_incarnation_is_described_and_holds_nothing(bench: Bench) -> None:
    stored(bench, 1, BLOCKS[0])
    async with aclosing(bench.watch()) as news:
        await read(news, lambda each: each.HasField("load"))
        bench.engine.incarnation = "second"
        assert bench.engine.watcher is not None
        bench.engine.watcher.described(bench.engine.description)
        *_, told = await read(news, lambda each: each.HasField("event"))
        assert (told.incarnation, told.event.cleared, list(told.event.stored)) == ("second", True, [])


async def test_the_end_of_the_process_is_told_as_draining_and_ends_the_stream(bench: Bench) -> None:
    async with aclosing(bench.watch()) as news:
        await read(news, lambda each: each.HasField("load"))
        bench.service.stop()
        last = [each async for each in news][-1]
    assert last.load.state == WORKER_STATE_DRAINING
