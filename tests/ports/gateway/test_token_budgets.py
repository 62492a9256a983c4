"""The port TokenBudgets: in Redis, and in one gateway while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from gateway.domain.token_shares import Exhausted, Held, Left, Share, TokenCount, Whose
from gateway.domain.token_windows import Calendar
from meshkit.clock import FakeClock
from redis.asyncio import Redis

from tests.ports.gateway.desk import LEAST, NOWHERE, Desk, use
from tests.stack import PrivateRedis


def whose(tenant: str, scenario: str, principal: str) -> Whose:
    return Whose(tenant, scenario, principal.encode().ljust(16, b"\xff"), principal)


A = whose("bank-a", "assistant", "张三")
OTHER_SCENARIO, OTHER_PRINCIPAL, OTHER_TENANT = (
    whose("bank-a", "research", "李四"),
    whose("bank-a", "assistant", "李四"),
    whose("bank-b", "assistant", "张三"),
)
TENANT_PROMPT, TENANT_OUTPUT = Share("tenant", "prompt", "minute", 1000), Share("tenant", "output", "minute", 500)
SCENARIO_OUTPUT = Share("scenario", "output", "minute", 300)
PRINCIPAL_PROMPT = Share("principal", "prompt", "minute", 600)
SHARES = (TENANT_PROMPT, TENANT_OUTPUT, SCENARIO_OUTPUT, PRINCIPAL_PROMPT)


def clock() -> FakeClock:
    """Time that stands at the beginning of a minute."""
    return FakeClock(1_750_000_020.0)


@pytest.fixture(params=["redis", "local"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    url = request.getfixturevalue("private_redis").url if request.param == "redis" else NOWHERE
    async with Redis.from_url(url) as client:
        yield client


async def test_what_is_held_is_not_free_until_it_is_settled(redis: Redis) -> None:
    desk = Desk(redis, SHARES, clock())
    assert await desk.held(A, "1", 400, 200) == TokenCount(400, 200)
    assert await desk.held(A, "2", 300, 10) == Exhausted(PRINCIPAL_PROMPT, 1.0), "a running call may end at any time"
    await desk.settle(A, "1", 100, 50)
    assert await desk.held(A, "2", 300, 10) == TokenCount(300, 10)


async def test_a_call_begins_with_what_is_left_and_ends_where_that_is_too_little(redis: Redis) -> None:
    desk = Desk(redis, SHARES, clock())
    await desk.held(A, "1", 500, 100)
    assert await desk.hold(A, "2", LEAST, TokenCount(9_999, 9_999)) == TokenCount(100, 200)
    assert await desk.held(A, "2", 90, 20) == TokenCount(90, 20), "what it held itself is its own"
    assert await desk.held(A, "2", 101, 20) == Exhausted(PRINCIPAL_PROMPT, 1.0)
    assert await desk.held(A, "3", 10, 180) == TokenCount(10, 180), "a refusal changes nothing"


async def test_a_refusal_by_one_share_takes_of_none(redis: Redis) -> None:
    desk = Desk(redis, SHARES, clock())
    await desk.held(OTHER_PRINCIPAL, "1", 100, 299)
    assert await desk.held(A, "2", 600, 2) == Exhausted(SCENARIO_OUTPUT, 1.0)
    assert await desk.free(OTHER_SCENARIO) == TokenCount(500, 201), "nobody holds anything but the first call"


async def test_what_is_left_for_others_is_told(redis: Redis) -> None:
    desk = Desk(redis, SHARES, clock())
    found = await desk.budgets.hold(A, "1", LEAST, TokenCount(100, 50))
    assert isinstance(found, Held)
    left = {TENANT_PROMPT: 900, TENANT_OUTPUT: 450, SCENARIO_OUTPUT: 250, PRINCIPAL_PROMPT: 500}
    assert found.left == tuple(Left(share, tokens, 60.0) for share, tokens in left.items())


async def test_each_scope_has_its_own(redis: Redis) -> None:
    desk = Desk(redis, SHARES, clock())
    assert await desk.held(A, "1", 600, 300) == TokenCount(600, 300)
    assert await desk.held(A, "2", 1, 1) == Exhausted(SCENARIO_OUTPUT, 1.0)
    assert await desk.held(OTHER_PRINCIPAL, "3", 1, 1) == Exhausted(SCENARIO_OUTPUT, 1.0)
    assert await desk.held(OTHER_SCENARIO, "4", 400, 200) == TokenCount(400, 200)
    assert await desk.held(OTHER_SCENARIO, "5", 1, 1) == Exhausted(TENANT_PROMPT, 1.0)
    assert await desk.held(OTHER_TENANT, "6", 600, 300) == TokenCount(600, 300)


async def test_what_was_used_is_free_again_in_the_next_window(redis: Redis) -> None:
    now = clock()
    desk = Desk(redis, SHARES, now)
    await desk.held(A, "1", 600, 300)
    now.advance(15)
    await desk.settle(A, "1", 600, 300)
    assert await desk.held(A, "2", 1, 1) == Exhausted(SCENARIO_OUTPUT, 45.0), "the first of those that free together"
    now.advance(44)
    assert await desk.held(A, "2", 1, 1) == Exhausted(SCENARIO_OUTPUT, 1.0)
    now.advance(1)
    assert await desk.held(A, "2", 600, 300) == TokenCount(600, 300)


async def test_a_window_begins_with_nothing_used(redis: Redis) -> None:
    now = clock()
    desk = Desk(redis, SHARES, now)
    for call, tokens in (("1", (600, 300)), ("2", (100, 50))):
        assert await desk.held(A, call, *tokens) == TokenCount(*tokens)
        await desk.settle(A, call, *tokens)
        now.advance(60 if call == "1" else 0)
    assert await desk.hold(A, "3", LEAST, TokenCount(999, 999)) == TokenCount(500, 250)


async def test_of_several_used_up_shares_the_last_to_be_free_is_named(redis: Redis) -> None:
    now = FakeClock(datetime(2026, 11, 28, 22, 30, tzinfo=UTC).timestamp())
    day = Share("tenant", "output", "day", 500)
    desk = Desk(redis, (TENANT_PROMPT, day, TENANT_OUTPUT), now)
    await desk.held(A, "1", 1000, 500)
    await desk.settle(A, "1", 1000, 500)
    assert await desk.held(A, "2", 1, 1) == Exhausted(day, 5_400.0)
    assert await desk.held(A, "3", 1, 501) == Exhausted(day, None), "more than there ever is"
    now.advance(60)
    assert await desk.held(A, "4", 1, 1) == Exhausted(day, 5_340.0), "the next minute frees no day"
    now.advance(5_340)
    assert await desk.held(A, "4", 1, 500) == TokenCount(1, 500)


async def test_a_day_is_one_of_its_time_zone(redis: Redis) -> None:
    now = FakeClock(datetime(2026, 11, 28, 15, 0, tzinfo=UTC).timestamp())  # 23:00 in Shanghai
    day = Share("tenant", "output", "day", 500)
    desk = Desk(redis, (day,), now, calendar=Calendar(ZoneInfo("Asia/Shanghai")))
    await desk.held(A, "1", 1, 500)
    await desk.settle(A, "1", 1, 500)
    assert await desk.held(A, "2", 1, 1) == Exhausted(day, 3_600.0)
    now.advance(3_600)
    assert await desk.held(A, "2", 1, 500) == TokenCount(1, 500)


async def test_what_a_dead_gateway_held_is_free_again(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url) as redis:
        dead, alive = Desk(redis, SHARES, now), Desk(redis, SHARES, now)
        await dead.held(A, "1", 600, 300)
        now.advance(29.9)
        assert isinstance(await alive.held(A, "2", 600, 300), Exhausted)
        now.advance(0.1)
        assert await alive.held(A, "2", 600, 300) == TokenCount(600, 300)
        await dead.settle(A, "1", 0, 7)  # it was only slow: what it used counts, and takes nothing of another's hold
        await alive.settle(A, "2", 0, 0)
        assert await alive.hold(A, "3", LEAST, TokenCount(999, 999)) == TokenCount(600, 293)


async def test_what_a_living_gateway_holds_stays(redis: Redis) -> None:
    now = clock()
    desk = Desk(redis, SHARES, now)
    await desk.held(A, "1", 600, 300)
    for _ in range(10):
        now.advance(10)
        await desk.budgets.renew()
    assert isinstance(await desk.held(A, "2", 1, 1), Exhausted)


async def test_settling_twice_or_unknown_takes_nothing_of_others(redis: Redis) -> None:
    desk = Desk(redis, SHARES, clock())
    await desk.budgets.settle(A, "1", TokenCount(100, 0))
    await desk.held(A, "2", 500, 300)
    for _ in range(2):
        await desk.settle(A, "2", 100, 0)
    assert await desk.hold(A, "3", LEAST, TokenCount(999, 999)) == TokenCount(500, 300)


async def test_without_shares_nothing_is_asked(redis: Redis) -> None:
    desk = Desk(Redis.from_url(NOWHERE), (), clock())
    assert await desk.held(A, "1", 10**9, 10**9) == TokenCount(10**9, 10**9)
    await desk.budgets.settle(A, "1", TokenCount(10**9, 10**9))
    await desk.budgets.renew()
    assert not desk.health.missing


async def test_a_principal_that_nobody_can_name_has_no_share_of_its_own(redis: Redis) -> None:
    nobody = Whose("bank-a", "assistant", b"")
    desk = Desk(redis, (TENANT_OUTPUT,), clock())
    assert await desk.held(nobody, "1", 1, 400) == TokenCount(1, 400)
    assert await desk.held(A, "2", 1, 101) == Exhausted(TENANT_OUTPUT, 1.0)


async def test_what_ended_is_held_until_it_is_booked_and_no_longer_than_that(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url) as redis:
        desk = Desk(redis, (TENANT_OUTPUT,), now, pending_s=120)
        for call in ("1", "2"):
            await desk.held(A, call, 1, 200)
            await desk.budgets.settle(A, call, TokenCount(1, 150))
        assert await desk.free(A) == TokenCount(10**9, 200)
        await desk.book(use(A, "1", TokenCount(1, 155), now.now_s()))  # the record alone says how many they were
        assert await desk.free(A) == TokenCount(10**9, 195)
        now.advance(119.9)
        assert await desk.free(A) == TokenCount(10**9, 350), "the books are of another minute; of the second call none came"
        now.advance(0.2)
        assert await desk.free(A) == TokenCount(10**9, 500)


async def test_a_call_that_is_booked_holds_nothing_any_more_whatever_comes_late(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url) as redis:
        desk = Desk(redis, (TENANT_OUTPUT,), now)
        await desk.held(A, "1", 1, 200)
        await desk.book(use(A, "1", TokenCount(1, 9), now.now_s()))
        await desk.budgets.renew()
        assert await desk.free(A) == TokenCount(10**9, 491)
        await desk.budgets.settle(A, "1", TokenCount(1, 9))
        assert await desk.free(A) == TokenCount(10**9, 491)


async def test_a_running_call_whose_share_others_used_up_is_told(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url) as redis:
        desk = Desk(redis, (TENANT_OUTPUT,), now)
        await desk.held(A, "1", 1, 200)
        await desk.budgets.renew()
        assert desk.budgets.exhausted("1") is None
        await desk.book(use(OTHER_PRINCIPAL, "local", TokenCount(1, 500), now.now_s()))  # was used while Redis was away
        await desk.budgets.renew()
        assert desk.budgets.exhausted("1") == Exhausted(TENANT_OUTPUT, 60.0)
        assert desk.budgets.exhausted("nobody") is None


async def test_gateways_together_never_exceed_a_share(private_redis: PrivateRedis) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Redis.from_url(private_redis.url)) for _ in range(3)]
        gateways = [Desk(client, (TENANT_OUTPUT,), clock()) for client in clients]
        calls = (gateways[number % 3].hold(A, str(number), LEAST, TokenCount(1, 7)) for number in range(900))
        granted = [each for each in await asyncio.gather(*calls) if isinstance(each, TokenCount)]
        assert sum(each.output for each in granted) == TENANT_OUTPUT.tokens


async def test_without_redis_each_gateway_grants_a_fraction_and_says_so(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url, socket_timeout=0.5) as redis:
        desk = Desk(redis, SHARES, now, local_fraction=0.5)
        await desk.held(A, "1", 100, 100)
        assert desk.health.missing == {"token-budgets": "BOOKS_INCOMPLETE"}, "nobody has read the records yet"
        await asyncio.to_thread(private_redis.kill)
        assert await desk.hold(A, "2", LEAST, TokenCount(999, 999)) == TokenCount(300, 150)
        assert desk.health.missing == {"token-budgets": "LOCAL_SHARES"}
        assert isinstance(await desk.held(A, "3", 1, 1), Exhausted)


async def test_a_redis_that_forgot_is_told_what_is_held(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url, socket_timeout=0.5) as redis:
        desk, other = Desk(redis, SHARES, now), Desk(redis, SHARES, now)
        await desk.held(A, "1", 100, 100)
        await asyncio.to_thread(private_redis.kill)
        assert await desk.held(A, "2", 500, 200) == TokenCount(500, 200)
        private_redis.wipe()
        private_redis.start()
        now.advance(1)
        await desk.budgets.renew()
        assert isinstance(await other.held(A, "3", 1, 1), Exhausted), "both calls, wherever they began"
        await desk.settle(A, "1", 100, 10)
        await desk.settle(A, "2", 500, 100)
        assert await other.free(A) == TokenCount(0, 190)


async def test_a_script_that_redis_forgot_is_loaded_again(private_redis: PrivateRedis) -> None:
    async with Redis.from_url(private_redis.url) as redis:
        desk = Desk(redis, SHARES, clock())
        await desk.held(A, "1", 1, 1)
        await redis.script_flush()
        await desk.settle(A, "1", 1, 1)
        await redis.script_flush()
        assert await desk.held(A, "2", 1, 299) == TokenCount(1, 299)


async def test_nothing_of_a_tenant_stays_in_redis_for_ever(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url) as redis:
        desk = Desk(redis, SHARES, now)
        await desk.held(A, "1", 10, 10)
        await desk.settle(A, "1", 5, 5)
        await desk.held(A, "2", 10, 10)
        names = [name async for name in redis.scan_iter()]
        own = [name for name in names if name.startswith(b"finmesh:gateway:tokens:{bank-a}:")]
        others = {name.removeprefix(b"finmesh:gateway:tokens:") for name in names if name not in own}
        assert others == {b"reader", b"booked:2025-06-15"}
        assert len(own) == 3 * 2 + 3 * 2 + 1, "accounts and their calls, minutes and days, the call that is booked"
        accounts = [name for name in own if b":m" not in name and b":d20" not in name and b":done:" not in name]
        assert all([200_000 <= await redis.pttl(name) <= 240_000 for name in accounts])
        assert not any("张三".encode() in name for name in names)
