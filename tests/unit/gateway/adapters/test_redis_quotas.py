"""Leases against a real Redis with a clock in hand."""

import asyncio

from gateway.adapters.redis_quotas import RedisQuotas
from gateway.domain.route import QuotaClass
from gateway.domain.token_bucket import Rate
from meshkit.clock import FakeClock
from redis.asyncio import Redis

from tests.stack import PrivateRedis

RATES: dict[QuotaClass, Rate] = {"decide": Rate(100, 50), "read": Rate(1, 2), "change": Rate(1, 1)}


async def taken(quotas: RedisQuotas, times: int, quota_class: QuotaClass = "decide") -> int:
    """Return how many of ``times`` concurrent calls were granted."""
    waits = await asyncio.gather(*(quotas.take("bank-a", "anti-fraud", quota_class) for _ in range(times)))
    return sum(wait == 0 for wait in waits)


async def test_gateways_together_never_exceed_the_burst(private_redis: PrivateRedis) -> None:
    clock = FakeClock()
    async with Redis.from_url(private_redis.url) as redis:
        first, second = RedisQuotas(redis, RATES, clock), RedisQuotas(redis, RATES, clock)
        assert await taken(first, 30) + await taken(second, 100) == 50
        clock.advance(0.2)  # 20 tokens flow in
        assert await taken(second, 100) == 20


async def test_classes_scenarios_and_tenants_have_their_own(private_redis: PrivateRedis) -> None:
    async with Redis.from_url(private_redis.url) as redis:
        quotas = RedisQuotas(redis, RATES, FakeClock())
        assert await taken(quotas, 5, "read") == 2
        assert await taken(quotas, 5, "change") == 1
        assert await quotas.take("bank-a", "audit", "read") == 0
        assert await quotas.take("bank-b", "anti-fraud", "read") == 0


async def test_the_time_to_wait_is_right(private_redis: PrivateRedis) -> None:
    clock = FakeClock()
    async with Redis.from_url(private_redis.url) as redis:
        quotas = RedisQuotas(redis, RATES, clock)
        await taken(quotas, 2, "read")
        assert await quotas.take("bank-a", "anti-fraud", "read") == 1.0
        clock.advance(0.75)
        assert await quotas.take("bank-a", "anti-fraud", "read") == 0.25
        clock.advance(0.25)
        assert await quotas.take("bank-a", "anti-fraud", "read") == 0


async def test_an_unspent_lease_is_forgotten_after_a_second(private_redis: PrivateRedis) -> None:
    clock = FakeClock()
    async with Redis.from_url(private_redis.url) as redis:
        quotas = RedisQuotas(redis, RATES, clock)
        await quotas.take("bank-a", "anti-fraud", "decide")  # leases 10 of 50, spends 1
        clock.advance(1.0)
        assert await taken(quotas, 100) == 50


async def test_without_redis_the_local_bucket_holds_and_redis_is_tried_again(private_redis: PrivateRedis) -> None:
    clock = FakeClock()
    async with Redis.from_url(private_redis.url) as redis:
        quotas = RedisQuotas(redis, RATES, clock)
        private_redis.kill()
        assert await taken(quotas, 10, "read") == 2
        private_redis.start()
        clock.advance(1.0)
        assert await taken(quotas, 10, "read") == 2  # the bucket in Redis is full: nobody took from it
