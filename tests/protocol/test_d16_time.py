"""D16. Too old and too early go to dead letters; a late event is decided but never touches expired tiles; minutes come from timestamps."""

import pytest
from risk_scoring.consumers.transactions import TransactionStream

from tests.protocol.desks import desk
from tests.protocol.makers import DAY, HOUR, NOW, feature, payment, seen
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
    added = "    add_tile(hours, hour, count, amount, square, max(amount, 0))"
    elsewhere = lua("observe", added, "    add_tile(hours, hour - 48, count, amount, 0, 0)")
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
            assert late.status == "n"
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
