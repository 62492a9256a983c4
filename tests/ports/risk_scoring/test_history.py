"""An imported past gives the same state as a past that was lived through, and counts once however often it is imported."""

import itertools
import random

import pytest
from google.protobuf import proto
from meshkit.clock import FakeClock
from meshkit.errors import InvalidArgument
from risk_scoring.domain.observation import Change
from risk_scoring.main.history import changes
from risk_scoring.usecases.import_history import ImportHistory

from tests.protocol.makers import DAY, NOW, identifier, label, payment, seen, transfer
from tests.protocol.stores import opened

LONG = 400 * DAY


def past(count):
    """Transactions of 40 days in order of time, some transfers among them."""
    chance = random.Random(7)
    times = sorted(NOW - chance.randrange(40 * DAY) for _ in range(count))
    return [
        seen(
            number + 1,
            customer=f"c{chance.randrange(20)}",
            party=f"p{chance.randrange(9)}",
            device=chance.choice(["", "d1", "d2"]),
            time_s=time_s,
            amount_minor=chance.randrange(100, 90_000),
            channel=chance.choice([1, 2, 3]),
        )
        for number, time_s in enumerate(times)
    ]


def as_changes(observations):
    return [Change("advice", each, 0, 0, each.amount_minor, "") for each in observations]


async def states(shelf):
    """Values of customers, counterparties, devices and edges."""
    prefix = shelf.link.prefix.encode()
    found = await shelf.contents()
    return {key[len(prefix) :]: value for key, value in found.items() if key[len(prefix) : len(prefix) + 2] in (b"c:", b"p:", b"v:", b"g:")}


async def test_an_imported_past_is_a_past_that_was_lived_through(private_redis):
    lived = past(1_700)
    labels = [label(each, f"l{each.time_s}") for each in lived[::50]]
    async with opened(private_redis, horizon_s=LONG) as observed, opened(private_redis, horizon_s=LONG) as imported:
        for part in itertools.batched(lived, 100) if hasattr(itertools, "batched") else (lived[i : i + 100] for i in range(0, 1_700, 100)):
            await observed.store.observe(list(part))
        await observed.store.amend(labels, "labels:0", "x@1")
        counted = await ImportHistory(imported.store)("past", [*as_changes(lived), *labels], lambda done: None)
        assert counted == len(lived) + len(labels)
        assert await states(imported) == await states(observed)


async def test_an_import_that_was_stopped_goes_on_and_counts_nothing_twice(private_redis):
    everything = as_changes(past(1_700))
    async with opened(private_redis) as whole, opened(private_redis) as stopped:
        await ImportHistory(whole.store)("past", everything, lambda done: None)

        def broken():
            yield from everything[:1_200]
            raise OSError("killed")

        with pytest.raises(OSError, match="killed"):
            await ImportHistory(stopped.store)("past", broken(), lambda done: None)
        half = await states(stopped)
        assert half and half != await states(whole)
        for _ in range(2):
            await ImportHistory(stopped.store)("past", everything, lambda done: None)
            assert await states(stopped) == await states(whole)


async def test_a_part_before_its_turn_is_refused(private_redis):
    async with opened(private_redis) as shelf:

        class Ahead:
            async def imported_parts(self, import_id):
                return 0

            async def import_part(self, import_id, number, part):
                return await shelf.store.import_part(import_id, number + 1, part)

        with pytest.raises(InvalidArgument) as refused:
            await ImportHistory(Ahead())("past", as_changes(past(3)), lambda done: None)
        assert refused.value.reason == "IMPORT_OUT_OF_ORDER"
        assert await states(shelf) == {}


def test_files_hold_length_prefixed_messages(tmp_path):
    path = tmp_path / "transactions"
    messages = [payment(1), transfer(2)]
    with path.open("wb") as file:
        for message in messages:
            proto.serialize_length_prefixed(message, file)
    found = list(changes(identifier(), FakeClock(NOW + DAY), path))
    assert [each.kind for each in found] == ["advice", "advice"]
    assert found[0].observation.channel == 1 and found[1].observation.channel == 3
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InvalidArgument) as refused:
        list(changes(identifier(), FakeClock(NOW + DAY), path))
    assert refused.value.reason == "MALFORMED"
