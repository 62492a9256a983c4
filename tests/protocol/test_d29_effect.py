"""D29. Corrections by effect: under however many ids and in whatever order, never more is taken back than a transaction put in."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgpack
import pytest
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1.transaction_pb2 import LIFECYCLE_TYPE_REVERSAL, TransactionLifecycleReported
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.events.offsets_in_db import Position
from risk_scoring.consumers.corrections import LIFECYCLE_TOPIC
from risk_scoring.domain.observation import Change, Effect, RestoredRecord

from tests.protocol.desks import corrections, desk, record
from tests.protocol.makers import DAY, HOUR, NOW, feature, key, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua
from tests.protocol.stores import opened

ONCE = ("amend", "ledger[L_GONE] - gone, left - rest", "1, tx[AMOUNT]")


def report(kind: str, number: int, change_id: str, amount: int = 10_000, **changes) -> Change:
    """A lifecycle report as the store takes it."""
    return Change(kind, seen(number, **changes), 0, 0, amount, f"report:bank-a|{change_id}")


def label(number: int, change_id: str, kind: int, sign: int, **changes) -> Change:
    """A label of a type: 1 chargeback, 2 confirmed fraud, 3 genuine."""
    fraud = sign if kind in (1, 2) else 0
    return Change("label", seen(number, **changes), fraud, sign - fraud, 0, f"label:bank-a|{change_id}", kind)


async def counters(shelf) -> tuple[float, float]:
    """Count and sum of the customer, as the next transaction is told."""
    vectors = (await shelf.store.observe([seen(random.getrandbits(60), time_s=NOW + 60, amount_minor=1)])).vectors
    return feature(vectors, "c_count_24h"), feature(vectors, "c_sum_24h")


async def tiles(shelf, entity: str) -> tuple[float, float, float]:
    """Count, sum and sum of squares over all tiles of an entity; none may be negative."""
    packed = await shelf.link.command("GET", shelf.link.prefix.encode() + entity[:2].encode() + key(entity[2:]))
    if packed is None:
        return 0, 0, 0
    state = msgpack.unpackb(packed, raw=True)
    flat = [*msgpack.unpackb(state[6]), *msgpack.unpackb(state[7]), state[1], *state[2:6]]
    rows = [flat[at : at + 4] for at in range(0, len(flat), 5)]
    assert all(value >= 0 for row in rows for value in row), rows
    return sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows)


async def test_one_payment_reversed_under_three_ids_is_taken_back_once(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1), seen(2)])
            for number in range(3):
                assert await shelf.store.amend([report("cancel", 1, f"冲正-{number}")], "reports:0", f"t@{number}") == [Effect.APPLIED]
            assert await tiles(shelf, "c:c") == await tiles(shelf, "p:p") == (1, 10_000, 1e8)

    await assert_fails_without("D29", check, lua(*ONCE))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("reverse 4000", "reverse 4000", "reverse 4000"), (2, 10_000, 1e8)),
        (("reverse 4000", "reverse 3000"), (2, 13_000, 1e8 + 9e6)),
        (("reverse 10000", "cancel"), (1, 10_000, 1e8)),
        (("cancel", "reverse 10000"), (1, 10_000, 1e8)),
        (("cancel", "decline"), (1, 10_000, 1e8)),
        (("decline", "cancel", "reverse 1", "decline"), (1, 10_000, 1e8)),
        (("advice", "advice", "cancel"), (1, 10_000, 1e8)),
    ],
    ids=str,
)
@pytest.mark.parametrize("when", ["before", "after", "around"])
async def test_whatever_is_reported_and_whenever(private_redis, kinds, expected, when) -> None:
    async with opened(private_redis) as shelf:
        changes = [report(kind.split()[0], 1, f"R{n}", int([*kind.split(), "10000"][1])) for n, kind in enumerate(kinds)]
        cut = {"before": len(changes), "after": 0, "around": len(changes) // 2}[when]
        await shelf.store.amend(changes[:cut], "reports:0", "t@1")
        await shelf.store.observe([seen(1), seen(2)])
        await shelf.store.amend(changes[cut:] + changes, "reports:0", "t@2")
        assert await tiles(shelf, "c:c") == expected
        vectors = (await shelf.store.observe([seen(9, time_s=NOW + 60)])).vectors
        assert feature(vectors, "c_declined_24h") == any(kind == "decline" for kind in kinds)


async def test_the_same_id_of_two_tenants_is_two_reports(private_redis) -> None:
    async with opened(private_redis) as shelf:
        await shelf.store.observe([seen(1), seen(2)])
        assert await shelf.store.amend([report("cancel", 1, "R")], "reports:0", "t@1") == [Effect.APPLIED]
        other = report("cancel", 2, "R")._replace(change_id="report:bank-b|R")
        assert await shelf.store.amend([other, other], "reports:0", "t@2") == [Effect.APPLIED, Effect.REPEATED]


async def test_ids_of_before_are_remembered(private_redis) -> None:
    """They were not told apart by tenant: whoever repeats one within 120 days has reported it."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.link.command("SET", shelf.link.prefix + "l:report:R|1", "1")
            assert await shelf.store.amend([report("cancel", 1, "R|1")], "reports:0", "t@1") == [Effect.REPEATED]

    old = "id:gsub('^(%a+:)[a-z0-9-]+|', '%1')"
    await assert_fails_without("D29", check, lua("amend", old, "id"))


async def test_a_retraction_takes_back_a_label_of_its_type_and_no_other(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.store.amend([label(1, "L1", 1, 1)], "labels:0", "t@1")
            retractions = [label(1, f"W{n}", 2, -1) for n in range(3)]
            await shelf.store.amend(retractions, "labels:0", "t@2")
            assert await frauds(shelf) == 1, "nobody had confirmed it, so there was nothing to retract"
            await shelf.store.amend([label(1, f"X{n}", 1, -1) for n in range(3)], "labels:0", "t@3")
            assert await frauds(shelf) == 0
            await shelf.store.amend([label(1, "L2", 1, 1)], "labels:0", "t@4")
            assert await frauds(shelf) == 1, "one was taken back three times, and another came"

    await assert_fails_without("D29", check, lua("amend", "if types[at] > 0 then", "if true then"))


async def frauds(shelf) -> float:
    vectors = (await shelf.store.observe([seen(random.getrandbits(60), time_s=NOW + 60)])).vectors
    return feature(vectors, "c_fraud_30d")


async def test_a_report_of_other_content_takes_nothing_back_and_is_a_dead_letter(private_redis) -> None:
    """It embeds a hundred times the amount: what was put in is not known from it."""

    async def check() -> None:
        letters: list[str] = []

        class Letters:
            async def write(self, record, error) -> None:
                letters.append(error.reason)

        async with desk(private_redis) as here:
            consumer = corrections(here, Letters())
            await here.shelf.store.observe([request(payment(1)).observation, request(payment(2)).observation])
            large = payment(1, amount=Money(currency_code="CNY", amount_minor=1_234_500))
            sent = [
                TransactionLifecycleReported(
                    report_id=f"R{n}", type=LIFECYCLE_TYPE_REVERSAL, event_time=Timestamp(seconds=NOW), transaction=each
                ).SerializeToString()
                for n, each in enumerate((large, payment(2)))
            ]
            records = [record(value, topic=LIFECYCLE_TOPIC, offset=n) for n, value in enumerate(sent)]
            await consumer.store(records, (), [Position(0, "id", 2)])
            await consumer.store(records, (), [Position(0, "id", 2)])
            assert letters == ["IDEMPOTENCY_CONFLICT"] * 2
            assert (await consumer.positions(LIFECYCLE_TOPIC))[0].next_offset == 2
            after = await here.shelf.store.observe([request(payment(3, event_time_s=NOW + 60)).observation])
            assert (feature(after.vectors, "c_count_24h"), round(feature(after.vectors, "c_sum_24h"), 2)) == (1, 123.45)

    await assert_fails_without("D29", check, lua("amend", "then return 'c' end", "then end"))


async def test_replay_and_restore_count_nothing_twice(private_redis) -> None:
    async with opened(private_redis) as shelf:
        batch = [report("cancel", 1, "R1"), report("reverse", 2, "R2", 4_000), report("reverse", 3, "R3", 1_000)]
        await shelf.store.amend(batch, "reports:0", "t@3")
        await shelf.store.observe([seen(1)], 0, 0)
        lost = [RestoredRecord(seen(n), b"decision %d" % n, 0, n - 1, NOW) for n in (1, 2, 3)]
        assert await shelf.restore(lost, next_offset=3) == (3, 2)
        assert await shelf.restore(lost, next_offset=3) == (0, 0)
        await shelf.store.amend(batch, "reports:0", "t@3")
        assert await tiles(shelf, "c:c") == (2, 6_000 + 9_000, 36e6 + 81e6)


async def test_states_of_before_are_read(private_redis) -> None:
    """Changes that waited as a list, labels under y:, a tail that a newer script wrote."""
    async with opened(private_redis) as shelf:
        prefix = shelf.link.prefix.encode()
        waiting = [tuple(report("reverse", 1, "R1", 4_000))[:6], tuple(label(1, "L1", 1, 1))[:6]]
        await shelf.link.command("SET", prefix + b"k:" + seen(1).decision_id, msgpack.packb(waiting, use_bin_type=False))
        await shelf.link.command("SET", prefix + b"y:" + seen(1).decision_id, msgpack.packb([2, 0]))
        await shelf.store.observe([seen(1)])
        assert await tiles(shelf, "c:c") == (1, 6_000, 36e6)
        assert await frauds(shelf) == 1
        await shelf.store.amend([label(1, "W1", 1, -1)], "labels:0", "t@1")
        assert await frauds(shelf) == 1, "two labels stood under y:"
        await shelf.store.amend([label(1, "W2", 1, -1), report("cancel", 1, "R2")], "labels:0", "t@2")
        assert await frauds(shelf) == 0
        ledger = msgpack.unpackb(await shelf.link.command("GET", prefix + b"k:" + seen(1).decision_id), raw=True)
        await shelf.link.command("SET", prefix + b"k:" + seen(1).decision_id, msgpack.packb([*ledger, b"tail"], use_bin_type=False))
        await shelf.store.amend([report("cancel", 1, "R3")], "labels:0", "t@3")
        kept = msgpack.unpackb(await shelf.link.command("GET", prefix + b"k:" + seen(1).decision_id), raw=True)
        assert kept[-1] == b"tail"


@dataclass
class Model:
    """What the counters should be: the sum of what each transaction still counts for."""

    amount: dict[int, int] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)
    back: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    gone: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def change(self, kind: str, number: int, change_id: str, amount: int) -> None:
        if change_id in self.ids:
            return
        self.ids.add(change_id)
        if kind == "advice":
            self.counted.add(number)
        elif kind == "reverse":
            self.back[number] += amount
        else:
            self.gone.add(number)

    def of(self, numbers: list[int]) -> tuple[int, int, int]:
        rest = {n: 0 if n in self.gone else max(self.amount[n] - self.back[n], 0) for n in numbers if n in self.counted}
        return len(set(rest) - self.gone), sum(rest.values()), sum(value**2 for value in rest.values())


def fields_of(number: int, chance: random.Random) -> dict[str, Any]:
    """One of twelve transactions, of two customers, three counterparties and at most one device."""
    return {
        "customer": "赵钱"[number % 2],
        "party": f"p{number % 3}",
        "device": "d" if number % 2 else "",
        "time_s": NOW - chance.choice([0, 60, HOUR, 5 * HOUR]),
        "amount_minor": chance.randrange(1, 10_000),
    }


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_and_repetition_gives_what_a_plain_model_gives(private_redis, seed) -> None:
    """Transactions, reports and repetitions of both in any order, over tiles of hours and days, with restores in between."""
    chance = random.Random(seed)
    of = {number: fields_of(number, chance) for number in range(12)}
    model = Model({n: fields["amount_minor"] for n, fields in of.items()})
    async with opened(private_redis) as shelf:
        for step in range(120):
            number = chance.randrange(12)
            if chance.random() < 0.3:
                batch = [number] if chance.random() < 0.7 else [number, (number + 1) % 12]
                if chance.random() < 0.5:
                    await shelf.store.observe([seen(n, **of[n]) for n in batch])
                else:
                    await shelf.restore([RestoredRecord(seen(n, **of[n]), b"d%d" % n, -1, -1, NOW) for n in batch])
                model.counted.update(batch)
                continue
            kind, amount = chance.choice(["cancel", "decline", "reverse", "reverse", "advice"]), chance.randrange(1, 12_000)
            amount = min(amount, of[number]["amount_minor"])
            change_id = f"{number}-{kind}-{chance.randrange(5)}"
            change = report(kind, number, change_id, amount, **of[number])
            await shelf.store.amend([change] * chance.choice([1, 1, 2]), "reports:0", f"t@{step}")
            model.change(kind, number, change_id, amount)
        for customer in "赵钱":
            assert await tiles(shelf, f"c:{customer}") == model.of([n for n in of if of[n]["customer"] == customer]), seed
        for party in ("p0", "p1", "p2"):
            assert await tiles(shelf, f"p:{party}") == model.of([n for n in of if of[n]["party"] == party]), seed
        assert await tiles(shelf, "v:d") == model.of([n for n in of if of[n]["device"]]), seed


async def test_an_entity_whose_clock_ran_ahead_thaws(private_redis) -> None:
    """A transaction of the year 2100 was counted once, by an older release."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            far = seen(1, time_s=4_102_444_800)
            await shelf.store.observe([far])
            for number in range(3):
                await shelf.store.observe([seen(10 + number, time_s=NOW + number, amount_minor=5_000)])
            after = await shelf.store.observe([seen(20, time_s=NOW + 60)])
            assert (feature(after.vectors, "c_count_24h"), feature(after.vectors, "p_count_24h")) == (3, 3)

    await assert_fails_without("D29", check, lua("observe", "elseif state[HOUR] > latest and", "elseif false and"))


async def test_a_late_event_thaws_nothing(private_redis) -> None:
    async with opened(private_redis) as shelf:
        await shelf.store.observe([seen(1), seen(2, time_s=NOW - 20 * DAY), seen(3, time_s=NOW + 299)])
        assert await counters(shelf) == (2, 200.0)
