"""The port TokenBudgets: in Redis, and in one gateway while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from gateway.adapters.redis_token_budgets import RedisTokenBudgets
from gateway.domain.token_shares import Exhausted, Share, TokenCount, Whose
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from meshkit.clock import FakeClock
from redis.asyncio import Redis

from tests.stack import PrivateRedis

A = Whose("bank-a", "assistant", "张三")
OTHER_SCENARIO, OTHER_PRINCIPAL, OTHER_TENANT = (
    Whose("bank-a", "research", "李四"),
    Whose("bank-a", "assistant", "李四"),
    Whose("bank-b", "assistant", "张三"),
)
TENANT_PROMPT, TENANT_OUTPUT = Share("tenant", "prompt", 60, 1000), Share("tenant", "output", 60, 500)
SCENARIO_OUTPUT = Share("scenario", "output", 60, 300)
PRINCIPAL_PROMPT = Share("principal", "prompt", 60, 600)
SHARES = (TENANT_PROMPT, TENANT_OUTPUT, SCENARIO_OUTPUT, PRINCIPAL_PROMPT)
NOWHERE = "redis://127.0.0.1:1/0"
LEAST = TokenCount(1, 1)


def clock() -> FakeClock:
    """Time that stands at the beginning of a minute."""
    return FakeClock(1_750_000_020.0)


@pytest.fixture(params=["redis", "local"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    url = request.getfixturevalue("private_redis").url if request.param == "redis" else NOWHERE
    async with Redis.from_url(url) as client:
        yield client


async def held(budgets: RedisTokenBudgets, call: str, prompt: int, output: int, whose: Whose = A) -> TokenCount | Exhausted:
    """Hold exactly that."""
    wanted = TokenCount(prompt, output)
    return await budgets.hold(whose, call, wanted, wanted)


async def test_what_is_held_is_not_free_until_it_is_settled(redis: Redis) -> None:
    budgets = RedisTokenBudgets(redis, SHARES, clock())
    assert await held(budgets, "1", 400, 200) == TokenCount(400, 200)
    assert await held(budgets, "2", 300, 10) == Exhausted(PRINCIPAL_PROMPT, 1.0), "a running call may end at any time"
    await budgets.settle(A, "1", TokenCount(100, 50))
    assert await held(budgets, "2", 300, 10) == TokenCount(300, 10)


async def test_a_call_begins_with_what_is_left_and_ends_where_that_is_too_little(redis: Redis) -> None:
    budgets = RedisTokenBudgets(redis, SHARES, clock())
    await held(budgets, "1", 500, 100)
    assert await budgets.hold(A, "2", LEAST, TokenCount(9_999, 9_999)) == TokenCount(100, 200)
    assert await held(budgets, "2", 90, 20) == TokenCount(90, 20), "what it held itself is its own"
    assert await held(budgets, "2", 101, 20) == Exhausted(PRINCIPAL_PROMPT, 1.0)
    assert await held(budgets, "3", 10, 180) == TokenCount(10, 180), "a refusal changes nothing"


async def test_each_scope_has_its_own(redis: Redis) -> None:
    budgets = RedisTokenBudgets(redis, SHARES, clock())
    assert await held(budgets, "1", 600, 300) == TokenCount(600, 300)
    assert await held(budgets, "2", 1, 1) == Exhausted(SCENARIO_OUTPUT, 1.0)
    assert await held(budgets, "3", 1, 1, OTHER_PRINCIPAL) == Exhausted(SCENARIO_OUTPUT, 1.0)
    assert await held(budgets, "4", 400, 200, OTHER_SCENARIO) == TokenCount(400, 200)
    assert await held(budgets, "5", 1, 1, OTHER_SCENARIO) == Exhausted(TENANT_PROMPT, 1.0)
    assert await held(budgets, "6", 600, 300, OTHER_TENANT) == TokenCount(600, 300)


async def test_what_was_used_is_free_again_in_the_next_window(redis: Redis) -> None:
    now = clock()
    budgets = RedisTokenBudgets(redis, SHARES, now)
    await held(budgets, "1", 600, 300)
    now.advance(15)
    await budgets.settle(A, "1", TokenCount(600, 300))
    assert await held(budgets, "2", 1, 1) == Exhausted(SCENARIO_OUTPUT, 45.0), "the first of those that free together"
    now.advance(44)
    assert await held(budgets, "2", 1, 1) == Exhausted(SCENARIO_OUTPUT, 1.0)
    now.advance(1)
    assert await held(budgets, "2", 600, 300) == TokenCount(600, 300)


async def test_a_window_begins_with_nothing_used(redis: Redis) -> None:
    now = clock()
    budgets = RedisTokenBudgets(redis, SHARES, now)
    await budgets.settle(A, "1", TokenCount(600, 300))
    now.advance(60)
    await budgets.settle(A, "2", TokenCount(100, 50))
    assert await budgets.hold(A, "3", LEAST, TokenCount(999, 999)) == TokenCount(500, 250)


async def test_of_several_used_up_shares_the_last_to_be_free_is_named(redis: Redis) -> None:
    now = clock()
    day = Share("tenant", "output", 86_400, 50)
    budgets = RedisTokenBudgets(redis, (TENANT_PROMPT, day, TENANT_OUTPUT), now)
    await budgets.settle(A, "1", TokenCount(1000, 500))
    refused = await held(budgets, "2", 1, 1)
    assert isinstance(refused, Exhausted) and refused.share == day
    assert refused.free_after_s == 86_400 - now.now_s() % 86_400
    assert await held(budgets, "3", 1, 51) == Exhausted(day, None), "more than there ever is"
    now.advance(86_400)
    assert await held(budgets, "4", 1, 50) == TokenCount(1, 50)


async def test_what_a_dead_gateway_held_is_free_again(redis: Redis) -> None:
    now = clock()
    dead = RedisTokenBudgets(redis, SHARES, now, hold_s=30)
    await held(dead, "1", 600, 300)
    alive = dead if redis.connection_pool.connection_kwargs["port"] == 1 else RedisTokenBudgets(redis, SHARES, now, hold_s=30)
    now.advance(29.9)
    assert isinstance(await held(alive, "2", 600, 300), Exhausted)
    now.advance(0.1)
    assert await held(alive, "2", 600, 300) == TokenCount(600, 300)
    await dead.settle(A, "1", TokenCount(0, 7))  # it was only slow: what it used counts, and takes nothing of another's hold
    await alive.settle(A, "2", TokenCount())
    assert await alive.hold(A, "3", LEAST, TokenCount(999, 999)) == TokenCount(600, 293)


async def test_what_a_living_gateway_holds_stays(redis: Redis) -> None:
    now = clock()
    budgets = RedisTokenBudgets(redis, SHARES, now, hold_s=30)
    await held(budgets, "1", 600, 300)
    for _ in range(10):
        now.advance(10)
        await budgets.renew()
    assert isinstance(await held(budgets, "2", 1, 1), Exhausted)


async def test_settling_twice_or_unknown_holds_nothing(redis: Redis) -> None:
    budgets = RedisTokenBudgets(redis, SHARES, clock())
    await budgets.settle(A, "1", TokenCount(100, 0))
    await held(budgets, "2", 500, 300)
    await budgets.settle(A, "2", TokenCount())
    assert await budgets.hold(A, "3", LEAST, TokenCount(999, 999)) == TokenCount(500, 300)


async def test_without_shares_nothing_is_asked(redis: Redis) -> None:
    budgets = RedisTokenBudgets(Redis.from_url(NOWHERE), (), clock())
    assert await held(budgets, "1", 10**9, 10**9) == TokenCount(10**9, 10**9)
    await budgets.settle(A, "1", TokenCount(10**9, 10**9))
    await budgets.renew()


async def test_gateways_together_never_exceed_a_share(private_redis: PrivateRedis) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Redis.from_url(private_redis.url)) for _ in range(3)]
        gateways = [RedisTokenBudgets(client, (TENANT_OUTPUT,), clock()) for client in clients]
        calls = (gateways[number % 3].hold(A, str(number), LEAST, TokenCount(1, 7)) for number in range(900))
        granted = [each for each in await asyncio.gather(*calls) if isinstance(each, TokenCount)]
        assert sum(each.output for each in granted) == TENANT_OUTPUT.tokens


async def test_a_redis_that_dies_and_comes_back(private_redis: PrivateRedis) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url, socket_timeout=0.5) as redis:
        budgets = RedisTokenBudgets(redis, SHARES, now)
        await held(budgets, "1", 100, 100)
        private_redis.kill()
        assert await held(budgets, "2", 600, 300) == TokenCount(600, 300), "local shares are whole ones"
        assert isinstance(await held(budgets, "3", 1, 1), Exhausted)
        await budgets.settle(A, "1", TokenCount(100, 10))
        private_redis.start()
        now.advance(1)
        await budgets.renew()
        assert await held(budgets, "2", 400, 250) == TokenCount(400, 250), "a call stays where it is counted"
        await budgets.settle(A, "2", TokenCount(400, 250))
        assert await budgets.hold(A, "4", LEAST, TokenCount(999, 999)) == TokenCount(500, 200), "call 1 could not be settled there"
        now.advance(30)
        await budgets.settle(A, "4", TokenCount())
        assert await held(budgets, "5", 600, 300) == TokenCount(600, 300), "and its hold ended"


async def test_nothing_of_a_tenant_stays_in_redis_for_ever(private_redis: PrivateRedis) -> None:
    async with Redis.from_url(private_redis.url) as redis:
        budgets = RedisTokenBudgets(redis, SHARES, clock(), hold_s=30)
        await held(budgets, "1", 10, 10)
        await budgets.settle(A, "1", TokenCount(5, 5))
        await held(budgets, "2", 10, 10)
        names = [name async for name in redis.scan_iter()]
        assert len(names) == 6
        assert all([60_000 <= await redis.pttl(name) <= 90_000 for name in names])
        assert all(name.startswith(b"finmesh:gateway:tokens:{bank-a}:") for name in names), "one slot, and the gateway's part of Redis"
        assert not any("张三".encode() in name for name in names)


CALLS = st.integers(0, 5).map(str)
COUNTS = st.builds(TokenCount, st.integers(0, 700), st.integers(0, 400))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), CALLS, COUNTS, COUNTS),
        st.tuples(st.just("settle"), CALLS, COUNTS, COUNTS),
        st.tuples(st.just("pass"), CALLS, st.builds(TokenCount, st.integers(1, 25)), COUNTS),
        st.tuples(st.just("renew"), CALLS, COUNTS, COUNTS),
    ),
    max_size=25,
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_redis_and_the_local_ledger_are_one(
    private_redis: PrivateRedis, steps: list[tuple[str, str, TokenCount, TokenCount]]
) -> None:
    now = clock()
    async with Redis.from_url(private_redis.url) as redis, Redis.from_url(NOWHERE) as nowhere:
        await redis.flushall()
        both = RedisTokenBudgets(redis, SHARES, now), RedisTokenBudgets(nowhere, SHARES, now)
        for op, call, first, second in steps:
            if op == "pass":
                now.advance(first.prompt)
                continue
            answers = []
            for budgets in both:
                if op == "hold":
                    least = TokenCount(min(first.prompt, second.prompt), min(first.output, second.output))
                    answers.append(await budgets.hold(A, call, least, second))
                elif op == "settle":
                    await budgets.settle(A, call, first)
                else:
                    await budgets.renew()
            assert len(set(answers)) <= 1
