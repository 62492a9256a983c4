"""D17. Labels: deduplicated in the script that counts them, parked before their transaction, retracted, counted when they are known."""

import pytest
from finmesh.risk.v1.transaction_pb2 import LABEL_TYPE_CHARGEBACK, LABEL_TYPE_CONFIRMED_GENUINE, LabelReported
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.errors import Unavailable
from meshkit.events.offsets_in_db import Position
from risk_scoring.consumers.corrections import LABEL_TOPIC, Corrections
from risk_scoring.domain.observation import Change, Effect, New
from risk_scoring.usecases import on_label_reported

from tests.protocol.desks import corrections, desk, record
from tests.protocol.makers import DAY, HOUR, NOW, feature, label, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua, swapped
from tests.protocol.stores import opened

TOPIC = "test." + LABEL_TOPIC


class Letters:
    """Dead letters."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    async def write(self, record, error) -> None:
        """Note the reason."""
        self.reasons.append(error.reason)


async def frauds(shelf, number: int = 999, **changes) -> float:
    """What the next transaction of the customer is told."""
    observed = await shelf.store.observe([seen(number, time_s=NOW + 60, **changes)])
    return feature(observed.vectors, "c_fraud_30d")


def correcting(here) -> tuple[Corrections, Letters]:
    """The consumer of labels on a desk."""
    letters = Letters()
    return corrections(here, letters), letters


def reported(number: int, label_id: str, kind: int = LABEL_TYPE_CHARGEBACK, *, known_s: float = NOW, **changes) -> bytes:
    """A label's bytes."""
    known_at = Timestamp(seconds=int(known_s))
    return LabelReported(label_id=label_id, type=kind, known_at=known_at, transaction=payment(number), **changes).SerializeToString()


async def test_a_repeated_label_counts_once(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            assert await shelf.store.amend([label(seen(1), "L1"), label(seen(1), "L1")], "labels:0", "t@2") == [
                Effect.APPLIED,
                Effect.REPEATED,
            ]
            assert await shelf.store.amend([label(seen(1), "L1")], "labels:0", "t@2") == [Effect.REPEATED]
            assert await frauds(shelf) == 1

    await assert_fails_without("D17", check, lua("amend", "repeated(change[CHANGE]) and 'r' or amended(change)", "amended(change)"))


async def test_two_labels_of_one_transaction_are_one_fraud(private_redis) -> None:
    """The chargeback and the investigator report the same fraud under two ids."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.store.amend([label(seen(1), "chargeback"), label(seen(1), "investigator")], "labels:0", "t@2")
            assert await frauds(shelf) == 1
            await shelf.store.amend([label(seen(1), "r1", fraud=-1)], "labels:0", "t@3")
            assert await frauds(shelf, 998) == 1, "one of the two still stands"
            await shelf.store.amend([label(seen(1), "r2", fraud=-1)], "labels:0", "t@4")
            assert await frauds(shelf, 997) == 0

    await assert_fails_without(
        "D17", check, lua("amend", "local now = verdict_of(ledger[L_FRAUDS], ledger[L_GENUINE])", "local now = 1 verdict = verdict - 1")
    )


async def test_a_retraction_subtracts(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.store.amend([label(seen(1), "L1")], "labels:0", "t@1")
            await shelf.store.amend([label(seen(1), "L1-wrong", fraud=-1)], "labels:0", "t@2")
            assert await frauds(shelf) == 0

    await assert_fails_without("D17", check, lua("amend", "types[at] - 1, ledger[side] - 1", "types[at] + 1, ledger[side] + 1"))


async def test_a_label_before_its_transaction_waits_durably(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis, prefix="") as shelf:
            await shelf.link.command("FLUSHALL")
            await shelf.link.publish_generation()
            assert await shelf.store.amend([label(seen(1), "L1")], "labels:0", "t@1") == [Effect.WAITS]
            private_redis.kill(15)
            private_redis.start()
            assert await shelf.link.adopt() is False
            await shelf.link.publish_generation()
            assert (await shelf.store.observe([seen(1)])).rows == [New()]
            assert await frauds(shelf) == 1
            assert (await shelf.store.amend([label(seen(1), "L1")], "labels:0", "t@1")) == [Effect.REPEATED]

    await assert_fails_without(
        "D17",
        check,
        lua("amend", "save_ledgers(memory_s)\nfor id, how", "for id, how"),
        lua("observe", "  adjust(tx, ledger, tx[AMOUNT], 0, 0, ledger[L_VERDICT])", ""),
    )


async def test_a_chargeback_of_day_60_counts_nowhere_and_one_of_day_20_on_its_own_day(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            old = [seen(60, time_s=NOW - 60 * DAY), seen(20, time_s=NOW - 20 * DAY), seen(35, time_s=NOW - 35 * DAY)]
            assert await shelf.store.amend([label(each, f"L{n}") for n, each in enumerate(old)], "labels:0", "t@1") == [
                Effect.APPLIED,
                Effect.APPLIED,
                Effect.APPLIED,
            ]
            assert await frauds(shelf) == 1

    await assert_fails_without("D17", check, lua("observe", "if labels[i] > today - 30 then fraud", "if true then fraud"))


async def test_risk_looks_at_days_whose_labels_had_time_to_come(private_redis) -> None:
    """Counterparty risk of one day: the day eight days ago, never the last week (rounding windows optimistically leaks)."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            young, old = NOW - 3 * DAY, NOW - 8 * DAY
            await shelf.store.observe([seen(1, time_s=old), seen(2, time_s=old + 60), seen(3, time_s=young)])
            await shelf.store.amend([label(seen(1, time_s=old), "L1"), label(seen(3, time_s=young), "L2")], "labels:0", "t@2")
            vectors = (await shelf.store.observe([seen(9)])).vectors
            assert feature(vectors, "p_risk_1d") == 0.5
            assert feature(vectors, "p_risk_7d") == 0.5
            assert feature(vectors, "p_fraud_30d") == 2

    await assert_fails_without("D17", check, lua("observe", "local last = today - DELAY_D - 1", "local last = today"))


async def test_a_label_counts_from_the_time_it_is_known(private_redis) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            consumer, letters = correcting(here)
            before = await here.shelf.store.observe([request(payment(1)).observation])
            records = [
                record(reported(1, "L1", known_s=NOW + HOUR), topic=TOPIC, offset=0),
                record(reported(1, "L2"), topic=TOPIC, offset=1),
            ]
            await consumer.store(records, (), [Position(0, "id", 2)])
            after = await here.shelf.store.observe([request(payment(2, event_time_s=NOW + 60)).observation])
            assert letters.reasons == ["IN_THE_FUTURE"]
            assert (feature(before.vectors, "c_fraud_30d"), feature(after.vectors, "c_fraud_30d")) == (0, 1)

    await assert_fails_without("D17", check, swapped(on_label_reported, "check_not_ahead", lambda time_us, now_s: None))


async def test_effect_and_position_are_one_write(private_redis) -> None:
    """The consumer dies behind the script: where it goes on is what was counted."""

    async def check() -> None:
        async with desk(private_redis) as here:
            consumer, _ = correcting(here)
            await here.shelf.store.observe([request(payment(1)).observation])
            await consumer.store([record(reported(1, "L1"), topic=TOPIC, offset=4)], (), [Position(0, "topic-id", 5)])
            assert await correcting(here)[0].positions(TOPIC) == {0: Position(0, "topic-id", 5)}
            await here.shelf.link.invalidate()
            refused = False
            try:
                await consumer.store([record(reported(2, "L2"), topic=TOPIC, offset=5)], (), [Position(0, "topic-id", 6)])
            except Unavailable:
                refused = True
            assert refused
            assert (await correcting(here)[0].positions(TOPIC))[0].next_offset == 5

    await assert_fails_without("D17", check, lua("amend", "redis.call('HSET', prefix .. 'amended', input, position)", ""))


@pytest.mark.parametrize(("kind", "counts"), [("decline", 0), ("cancel", 0), ("reverse", 1)])
async def test_corrections_take_spend_back(private_redis, kind, counts) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            change = Change(kind, seen(1), 0, 0, 10_000, "report:1")
            assert await shelf.store.amend([change, change], "reports:0", "t@2") == [Effect.APPLIED, Effect.REPEATED]
            vectors = (await shelf.store.observe([seen(2, time_s=NOW + 60)])).vectors
            assert feature(vectors, "c_sum_24h") == 0
            assert feature(vectors, "c_count_24h") == counts
            assert feature(vectors, "c_declined_24h") == (kind == "decline")

    await assert_fails_without("D17", check, lua("amend", "take_at(state, t, count, sum, left * left - rest * rest)", ""))


async def test_a_stand_in_advice_counts_once_whoever_comes_first(private_redis) -> None:
    async def check() -> None:
        advice = Change("advice", seen(1), 0, 0, 10_000, "report:1")
        second = advice._replace(change_id="report:2")
        async with opened(private_redis) as shelf:
            assert await shelf.store.amend([advice, second], "reports:0", "t@2") == [Effect.WAITS, Effect.REPEATED]
            await shelf.store.observe([seen(1)])
            assert await shelf.store.amend([advice._replace(change_id="report:3")], "reports:0", "t@3") == [Effect.REPEATED]
            vectors = (await shelf.store.observe([seen(2, time_s=NOW + 60)])).vectors
            assert feature(vectors, "c_count_24h") == 1

    await assert_fails_without(
        "D17",
        check,
        lua("observe", "if ledger[L_COUNTED] == 0 then arrive(tx, ledger) end", "arrive(tx, ledger)"),
        lua("amend", "if ledger[L_COUNTED] == 1 then return 'r' end", ""),
    )


async def test_a_genuine_label_is_no_fraud(private_redis) -> None:
    async with desk(private_redis) as here:
        consumer, _ = correcting(here)
        await here.shelf.store.observe([request(payment(1)).observation])
        genuine = record(reported(1, "G", LABEL_TYPE_CONFIRMED_GENUINE), topic=TOPIC, offset=0)
        await consumer.store([genuine], (), [Position(0, "id", 1)])
        after = await here.shelf.store.observe([request(payment(2, event_time_s=NOW + 60)).observation])
        assert feature(after.vectors, "c_fraud_30d") == 0
