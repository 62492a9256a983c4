"""D16. Too old and too early go to dead letters; a late event is decided but never touches expired tiles; minutes come from timestamps."""

from pathlib import Path
from typing import Any

import pytest
from finmesh.risk.v1.list_entry_pb2 import ListEntryChanged
from finmesh.risk.v1.transaction_pb2 import LabelReported, TransactionAuthorizationRequested, TransactionLifecycleReported
from google.protobuf import proto
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.clock import FakeClock
from meshkit.errors import InvalidArgument
from meshkit.events.offsets_in_db import Position
from risk_scoring import translate
from risk_scoring.consumers.corrections import LIFECYCLE_TOPIC
from risk_scoring.consumers.transactions import TransactionStream
from risk_scoring.domain import horizon
from risk_scoring.domain.observation import New
from risk_scoring.main import history
from risk_scoring.translate.list_changes import list_change
from risk_scoring.translate.messages import LABEL_TOPIC
from risk_scoring.usecases import on_label_reported, on_transaction_lifecycle_reported

from tests.protocol.desks import corrections, desk, record
from tests.protocol.makers import DAY, HOUR, NOW, feature, identifier, payment, request, seen
from tests.protocol.mutants import assert_fails_without, lua, swapped
from tests.protocol.stores import opened

REASONS = {-DAY - 1: b"TOO_OLD", 301: b"IN_THE_FUTURE"}


@pytest.mark.parametrize("age_s", REASONS)
async def test_outside_of_the_horizon(private_redis, age_s) -> None:
    async def check() -> None:
        async with desk(private_redis) as here:
            empty = await here.shelf.keys()
            messages = await here.streamed(payment(1, event_time_s=NOW + age_s))
            assert [message.topic for message in messages] == ["in.dead-letter"]
            assert dict(messages[0].headers)["reason"] == REASONS[age_s]
            assert await here.shelf.keys() == empty

    genuine = TransactionStream._request

    def whatever_the_clock_says(self, partition, record, context):
        self._clock.now_s = lambda: NOW + age_s
        return genuine(self, partition, record, context)

    await assert_fails_without("D16", check, swapped(TransactionStream, "_request", whatever_the_clock_says))


@pytest.mark.parametrize("age_s", [-DAY, -DAY + 1, 0, 300])
async def test_inside_of_the_horizon(private_redis, age_s) -> None:
    async with desk(private_redis) as here:
        messages = await here.streamed(payment(1, event_time_s=NOW + age_s))
        assert [message.topic for message in messages] == ["decisions", "audit"]


@pytest.mark.parametrize(("late_s", "counted"), [(10 * 60, True), (23 * HOUR, True), (30 * HOUR, False)])
async def test_a_late_event_counts_in_its_own_tile(private_redis, late_s, counted) -> None:
    """In the 24 hours before ``NOW`` only what happened then counts, whenever it arrived."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            await shelf.store.observe([seen(2, time_s=NOW - late_s)])
            last = await shelf.store.observe([seen(3, time_s=NOW + 1)])
            assert feature(last.vectors, "c_count_24h") == 1 + counted
            assert feature(last.vectors, "c_count_7d") == 2

    in_the_current_tile = lua("observe", "  if hour == state[HOUR] then\n", "  if true then\n")
    added = "    add_tile(hours, hour, 1, amount, square, amount)"
    elsewhere = lua("observe", added, "    add_tile(hours, hour - 48, 1, amount, 0, 0)")
    await assert_fails_without("D16", check, *([elsewhere] if counted else [in_the_current_tile]))


async def test_expired_tiles_stay_as_they_are(private_redis) -> None:
    """46 days late: decided, counted nowhere. 10 days late: counted by day."""

    async def check() -> None:
        async with opened(private_redis, horizon_s=60 * DAY) as shelf:
            await shelf.store.observe([seen(1)])
            customer = next(key for key in await shelf.keys() if key.startswith(shelf.link.prefix.encode() + b"c:"))
            script = "local e = cmsgpack.unpack(redis.call('GET', ARGV[1])) return {e[3], e[4], e[7], e[8]}"
            before = await shelf.link.command("EVAL", script, 0, customer)
            late = await shelf.store.observe([seen(2, time_s=NOW - 46 * DAY)])
            assert late.rows == [New()]
            assert await shelf.link.command("EVAL", script, 0, customer) == before
            await shelf.store.observe([seen(3, time_s=NOW - 10 * DAY)])
            last = await shelf.store.observe([seen(4, time_s=NOW + 1)])
            assert feature(last.vectors, "c_count_30d") == 2
            assert feature(last.vectors, "c_count_7d") == 1

    rule = ("observe", "elseif floor(hour / 24) > floor(state[HOUR] / 24) - DAYS then", "else")
    await assert_fails_without("D16", check, lua(*rule))


async def test_minutes_are_told_by_timestamps_not_by_tiles(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            times = [NOW - 70, NOW - 50, NOW - 30, NOW + 5]  # across the start of an hour
            await shelf.store.observe([seen(n, time_s=t) for n, t in enumerate(times)])
            last = await shelf.store.observe([seen(9, time_s=NOW + 20)])
            counts = [feature(last.vectors, name) for name in ("c_count_1m", "c_count_10m", "c_count_1h")]
            assert counts == [2, 4, 4]
            assert feature(last.vectors, "c_since_last_s") == 15

    tiles = ("observe", "max(t - c[FIRST], 0) / DAY, m1, m10, h1,", "max(t - c[FIRST], 0) / DAY, c[COUNT], c[COUNT], c[COUNT],")
    await assert_fails_without("D16", check, lua(*tiles))


async def test_a_late_event_is_too_late_for_the_minute(private_redis) -> None:
    async with opened(private_redis) as shelf:
        await shelf.store.observe([seen(1), seen(2, time_s=NOW - 120)])
        last = await shelf.store.observe([seen(3, time_s=NOW + 10)])
        assert feature(last.vectors, "c_count_1m") == 1
        assert feature(last.vectors, "c_count_10m") == 2
        assert feature(last.vectors, "c_since_last_s") == 10


YEAR_2100 = 4_102_444_800
BAD = [Timestamp(seconds=NOW, nanos=-1), Timestamp(seconds=NOW, nanos=1_000_000_000), Timestamp(seconds=253_402_300_800)]
BAD += [Timestamp(seconds=-62_135_596_801), Timestamp(seconds=-(2**63)), Timestamp(seconds=2**63 - 1)]


def label(at: Timestamp, embedded: Timestamp) -> tuple[str, bytes]:
    message = LabelReported(label_id="L", type=1, known_at=at, transaction=payment(1, event_time=embedded))
    return LABEL_TOPIC, message.SerializeToString()


def report(kind: int, at: Timestamp, embedded: Timestamp) -> tuple[str, bytes]:
    message = TransactionLifecycleReported(report_id="R", type=kind, event_time=at, transaction=payment(1, event_time=embedded))
    return LIFECYCLE_TOPIC, message.SerializeToString()


async def corrected(here: Any, topic: str, value: bytes) -> list[str]:
    """Reasons of dead letters."""
    reasons: list[str] = []

    class Letters:
        async def write(self, record: Any, error: Any) -> None:
            reasons.append(error.reason)

    consumer = corrections(here, Letters())
    await consumer.store([record(value, topic=topic, offset=0)], (), [Position(0, "id", 1)])
    return reasons


@pytest.mark.parametrize("kind", [2, 3, 4, 5])
@pytest.mark.parametrize("ahead_s", [301, YEAR_2100 - NOW])
async def test_what_a_report_embeds_does_not_lie_ahead(private_redis, kind, ahead_s) -> None:
    """A stand-in advice of the year 2100 froze its counterparty for good."""

    async def check() -> None:
        async with desk(private_redis) as here:
            now, ahead = Timestamp(seconds=NOW), Timestamp(seconds=NOW + ahead_s)
            assert await corrected(here, *report(kind, now, ahead)) == ["IN_THE_FUTURE"]
            assert await corrected(here, *report(kind, ahead, now)) == ["IN_THE_FUTURE"]
            assert await corrected(here, *report(kind, Timestamp(seconds=NOW + 300), now)) == []
            assert await corrected(here, *label(now, ahead)) == ["IN_THE_FUTURE"]
            assert await corrected(here, *label(ahead, now)) == ["IN_THE_FUTURE"]
            before = await here.shelf.store.observe([request(payment(2)).observation])
            after = await here.shelf.store.observe([request(payment(3, event_time_s=NOW + 60)).observation])
            assert feature(after.vectors, "p_count_24h") == feature(before.vectors, "p_count_24h") + 1

    mutants = (
        swapped(each, "check_not_ahead", lambda time_us, now_s: None) for each in (on_label_reported, on_transaction_lifecycle_reported)
    )
    await assert_fails_without("D16", check, *mutants)


async def test_reports_of_long_ago_are_taken(private_redis) -> None:
    """A chargeback comes on day 60, and nobody says how late a reversal may be."""
    async with desk(private_redis) as here:
        old = Timestamp(seconds=NOW - 400 * DAY)
        assert await corrected(here, *label(old, old)) == []
        assert await corrected(here, *report(3, old, old)) == []


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.seconds}.{bad.nanos}")
async def test_what_is_no_time_is_refused_wherever_it_comes_in(private_redis, bad) -> None:
    async def check() -> None:
        now = Timestamp(seconds=NOW)
        async with desk(private_redis) as here:
            messages = await here.streamed(payment(1, event_time=bad))
            assert [dict(message.headers).get("reason") for message in messages] == [b"INVALID_TRANSACTION"]
            assert await corrected(here, *label(bad, now)) == ["INVALID_LABEL"]
            assert await corrected(here, *label(now, bad)) == ["INVALID_TRANSACTION"]
            assert await corrected(here, *report(3, bad, now)) == ["INVALID_REPORT"]
            assert await corrected(here, *report(5, now, bad)) == ["INVALID_TRANSACTION"]
        with pytest.raises(InvalidArgument) as refused:
            list_change(ListEntryChanged(tenant="bank-a", kind=1, entity=2, entity_id="a", author="b", expires_at=bad))
        assert refused.value.reason == "INVALID_LIST_ENTRY"

    def loose(timestamp: Any, field: str, reason: str) -> int:
        return max(min(timestamp.seconds, NOW), 1) * 1_000_000

    await assert_fails_without("D16", check, swapped(translate, "time_us", loose))


@pytest.mark.parametrize("which", ["transaction", "label", "embedded"])
def test_files_of_the_past_hold_no_future(tmp_path: Path, which) -> None:
    def written(name: str, *messages: Any) -> Path:
        with (tmp_path / name).open("wb") as file:
            for message in messages:
                proto.serialize_length_prefixed(message, file)
        return tmp_path / name

    def imported(ahead_s: int) -> int:
        at = {key: Timestamp(seconds=NOW + (ahead_s if key == which else 0)) for key in ("transaction", "label", "embedded")}
        transactions = written("t", payment(1, event_time=at["transaction"]))
        labels = written("l", LabelReported(label_id="L", type=1, known_at=at["label"], transaction=payment(1, event_time=at["embedded"])))
        return len(list(history.changes(identifier(), FakeClock(NOW), transactions, labels)))

    assert imported(horizon.FUTURE_S) == 2
    with pytest.raises(InvalidArgument) as refused:
        imported(horizon.FUTURE_S + 1)
    assert refused.value.reason == "IN_THE_FUTURE"


def test_the_hot_path_and_the_rest_have_one_definition_of_a_time() -> None:
    message = TransactionAuthorizationRequested.FromString(
        payment(1, event_time=Timestamp(seconds=NOW, nanos=999_999_999)).SerializeToString()
    )
    assert translate.transaction(message).event_time_us == NOW * 1_000_000 + 999_999
