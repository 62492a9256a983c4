"""D25. What compares old decisions with their records: equal bytes give way, in one step with the position; a restore does the same.

The event log is a neighbour here; test_d25_on_kafka.py holds the real one.
"""

import asyncio
import base64
from contextlib import suppress
from types import SimpleNamespace
from uuid import UUID, uuid4

from meshkit.errors import FailedPrecondition, Unavailable
from meshkit.events.offsets_in_db import Position
from risk_scoring import translate
from risk_scoring.consumers import compaction
from risk_scoring.consumers.compaction import Compaction
from risk_scoring.domain.observation import Decided, LoggedDecision, Recorded, RecordPlace
from risk_scoring.steps.restore import Restorer
from risk_scoring.translate.messages import account_partition

from tests.protocol.desks import PARTITIONS, TOPIC_ID, Desk, EventLog, desk
from tests.protocol.makers import DAY, HOUR, NO_CAP, NOW, candidate, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua, rewritten, swapped
from tests.protocol.stores import Shelf, opened

PARTITION = account_partition("ACCT-6217-0001", PARTITIONS)
INCARNATION = base64.urlsafe_b64encode(TOPIC_ID).decode().rstrip("=")
EQUAL = ("compact", "if entry[3] == record[2] then", "if true then")


async def stored(shelf: Shelf, *numbers: int) -> None:
    """Decide transactions; nothing is compared yet."""
    await shelf.store.observe([seen(number) for number in numbers])
    candidates = [candidate(seen(number), b"decision %d" % number) for number in numbers]
    await shelf.store.finalise(candidates, {"bank-a": NO_CAP})


def logged(number: int, offset: int, decision: bytes = b"") -> LoggedDecision:
    """Its record."""
    return LoggedDecision(RecordPlace(TOPIC_ID, 0, offset), decision or b"decision %d" % number)


async def compact(shelf: Shelf, *batch: tuple[int, LoggedDecision], before: str = "", after: str = "1"):
    """Compare records."""
    ids = [UUID(int=number).bytes for number, _ in batch]
    return await shelf.store.compact([record for _, record in batch], ids, 0, before, after)


def sink(here: Desk, *, after_s: float = 600.0) -> Compaction:
    """The consumer of one process."""
    return Compaction(here.shelf.store, here.restorer, translate.decision_id, here.shelf.clock, after_s)


def records(here: Desk, first: int = 0, *, written_s: float = NOW) -> list[SimpleNamespace]:
    """The decision partition as a consumer gets it."""
    held = here.log.decisions[PARTITION][first:]
    return [SimpleNamespace(partition=PARTITION, offset=first + n, value=each, timestamp=written_s * 1000) for n, each in enumerate(held)]


async def compared(here: Desk, one: Compaction, first: int = 0) -> None:
    """Let a process compare what is in the log."""
    await one.positions("decisions")
    batch = records(here, first)
    await one.store(batch, (), [Position(PARTITION, INCARNATION, first + len(batch))])


async def test_equal_bytes_give_way_with_the_expiry_that_they_have(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await stored(shelf, 1, 2)
            await shelf.store.observe([seen(3)])
            await shelf.link.command("EXPIRE", shelf.link.prefix.encode() + b"d:" + seen(1).decision_id, 1234)
            done = await compact(shelf, (1, logged(1, 7)), (2, logged(2, 8, b"another")), (3, logged(3, 9)), (4, logged(4, 10)))
            assert (done.position, done.replaced, list(done.unequal)) == ("1", 1, [seen(2).decision_id])
            rows = (await shelf.store.observe([seen(1), seen(2), seen(3)])).rows
            assert rows[:2] == [Recorded(RecordPlace(TOPIC_ID, 0, 7)), Decided(b"decision 2", b"audit of decision 2")]
            assert type(rows[2]).__name__ == "StoredVector", "what is not decided here is left to a restore"
            left_s = await shelf.link.command("TTL", shelf.link.prefix.encode() + b"d:" + seen(1).decision_id)
            assert 1200 < left_s <= 1234
            assert await shelf.store.compacted() == {0: "1"}

    await assert_fails_without("D25", check, lua(*EQUAL), lua("compact", ", 'KEEPTTL'", ""))


async def test_the_first_record_holds_and_state_3_is_never_replaced(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await stored(shelf, 1)
            assert (await compact(shelf, (1, logged(1, 7)), (1, logged(1, 8)))).replaced == 1
            again = await compact(shelf, (1, logged(1, 9)), (1, logged(1, 10, b"another")), before="1", after="2")
            assert (again.replaced, list(again.unequal)) == (0, [])
            assert (await shelf.store.observe([seen(1)])).rows == [Recorded(RecordPlace(TOPIC_ID, 0, 7))]

    twice = "if entry and (entry[1] == DECIDED or entry[1] == RECORDED) then"
    await assert_fails_without("D25", check, lua("compact", "if entry and entry[1] == DECIDED then", twice))


async def test_who_read_from_another_position_does_nothing(private_redis) -> None:
    """Two processes, or a store that forgot: position and replacements are one step."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await stored(shelf, 1, 2)
            assert (await compact(shelf, (1, logged(1, 7)))).position == "1"
            late = await compact(shelf, (2, logged(2, 8)), before="", after="9")
            assert (late.position, late.replaced) == ("1", 0)
            assert await shelf.store.compacted() == {0: "1"}
            assert type((await shelf.store.observe([seen(2)])).rows[0]).__name__ == "Decided"

    await assert_fails_without("D25", check, lua("compact", "if known ~= before then", "if false then"))


async def test_a_store_that_has_to_be_restored_is_not_touched(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await stored(shelf, 1)
            await compact(shelf, after="")  # Redis knows the script
            await shelf.link.command("SET", shelf.link.prefix + "generation", "another")
            replaced = 0
            with suppress(Unavailable):
                replaced = (await compact(shelf, (1, logged(1, 7)))).replaced
            assert replaced == 0

    await assert_fails_without("D25", check, lua("compact", "if not generation_ok(ARGV[2]) then", "if false then"))


async def test_the_same_bytes_hours_later_on_both_paths(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis, by_place=True) as here:
            told = [await here.score(request(payment(number)), 5.0) for number in range(4)]
            here.shelf.clock.advance(600)
            await compared(here, sink(here))
            here.shelf.clock.advance(20 * HOUR)
            here.served.scores = [0.999]
            for number, first in enumerate(told):
                assert isinstance(await here.shelf.store.stored_decision(first.request.decision_id), Recorded)
                again = await here.score(request(payment(number)), 5.0)
                assert again.replayed and again.decision == first.decision
            messages = await here.streamed(*(payment(number) for number in range(4)))
            assert [(each.topic, each.value) for each in messages] == [("decisions", first.decision) for first in told]

    off_by_one = rewritten(Compaction, "_compared_with", "record.partition, record.offset)", "record.partition, record.offset + 1)")
    await assert_fails_without("D25", _judged(check), off_by_one)


def _judged(check):
    """A refusal counts as a wrong answer."""

    async def judged() -> None:
        try:
            await check()
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(type(error).__name__) from error

    return judged


async def test_young_records_wait(private_redis, monkeypatch) -> None:
    """Most duplicates come within minutes: they find the bytes in the store."""
    monkeypatch.setattr(compaction, "_LOOK_S", 0.001)

    async def check() -> None:
        async with desk(private_redis, by_place=True) as here:
            told = await here.score(request(payment(1)), 5.0)
            comparing = asyncio.create_task(compared(here, sink(here)))
            here.shelf.clock.advance(599)
            for _ in range(50):
                await asyncio.sleep(0.001)
            assert not comparing.done()
            assert await here.shelf.store.stored_decision(told.request.decision_id) == told.decision
            here.shelf.clock.advance(1)
            await comparing
            assert isinstance(await here.shelf.store.stored_decision(told.request.decision_id), Recorded)

    await assert_fails_without("D25", check, rewritten(Compaction, "_old_enough", "if wait_s <= 0:", "if True:"))


async def test_one_process_compares_and_the_next_goes_on_where_it_stopped(private_redis, monkeypatch) -> None:
    monkeypatch.setattr(compaction, "_LOOK_S", 0.001)
    async with desk(private_redis, by_place=True) as here:
        for number in range(2):
            await here.score(request(payment(number)), 5.0)
        here.shelf.clock.advance(600)
        first, second = sink(here), sink(here)
        await compared(here, first)
        waiting = asyncio.create_task(second.positions("decisions"))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not waiting.done()
        await here.shelf.link.command("DEL", here.shelf.link.prefix + "compactor")  # its lease is over
        assert await waiting == {PARTITION: Position(PARTITION, INCARNATION, 2)}
        try:
            await first.store(records(here), (), [Position(PARTITION, INCARNATION, 2)])
        except Unavailable as elsewhere:
            assert elsewhere.reason == "COMPACTED_ELSEWHERE"
        else:
            raise AssertionError("two compare")


async def test_bytes_that_are_no_decision_and_others_than_stored_stop_nobody(private_redis, caplog) -> None:
    async with desk(private_redis, by_place=True) as here:
        told = [await here.score(request(payment(number)), 5.0) for number in range(2)]
        here.log.decisions[PARTITION].insert(0, b"\xff\xff no protobuf")
        here.log.decisions[PARTITION][1] += told[0].decision[-3:]
        here.shelf.clock.advance(600)
        one = sink(here)
        assert not one.read(records(here)[0])
        await compared(here, one)
        assert await here.shelf.store.stored_decision(told[0].request.decision_id) == told[0].decision, "it stays as it is"
        assert isinstance(await here.shelf.store.stored_decision(told[1].request.decision_id), Recorded)
        assert "stored with other bytes" in caplog.text


async def test_a_restore_writes_where_records_stand(private_redis) -> None:
    async def check() -> None:
        log, prefix = EventLog(), uuid4().hex
        async with desk(private_redis, log=log, prefix=prefix) as here:
            told = [await here.score(request(payment(number)), 5.0) for number in range(3)]
        private_redis.kill()
        private_redis.wipe()
        private_redis.start()
        async with desk(private_redis, log=log, prefix=prefix, adopt=False, by_place=True) as here:
            await here.restorer.ensure()
            for number, first in enumerate(told):
                found = await here.shelf.store.stored_decision(first.request.decision_id)
                assert isinstance(found, Recorded) and found.place == RecordPlace(TOPIC_ID, PARTITION, number)
                assert (await here.score(request(payment(number)), 5.0)).decision == first.decision
            name = here.shelf.link.prefix.encode() + b"d:" + told[0].request.decision_id
            assert 0 < await here.shelf.link.command("TTL", name) <= DAY

    bytes_again = rewritten(Restorer, "_readable", "restored._replace(place=record.place)", "restored")
    await assert_fails_without("D25", check, bytes_again)


async def test_records_have_to_outlast_the_horizon(private_redis) -> None:
    async def check() -> None:
        for retention_s, is_enough in ((0.0, False), (DAY, False), (DAY + 300, False), (DAY + 301, True), (float("inf"), True)):
            log = EventLog()
            log.retention_s = retention_s
            async with desk(private_redis, log=log, adopt=False, by_place=True) as here:
                refused = ""
                try:
                    await here.restorer.ensure()
                except FailedPrecondition as error:
                    refused = error.reason
                assert refused == ("" if is_enough else "RETENTION_TOO_SHORT"), retention_s
                assert (here.shelf.link.generation is not None) is is_enough

    async def unlooked(self) -> None:
        pass

    await assert_fails_without("D25", check, swapped(Restorer, "_check_retention", unlooked))
    async with desk(private_redis, log=EventLog(), adopt=False) as here:
        here.log.retention_s = 1.0
        await here.restorer.ensure()
