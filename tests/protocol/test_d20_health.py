"""D20. Ready, ready-degraded, not ready; and the gateway's quotas fall back to local limits without Redis."""

from gateway.adapters.redis_quotas import RedisQuotas
from gateway.domain.token_bucket import Rate
from meshkit.clock import FakeClock
from meshkit.config import ServiceConfig
from meshkit.service import Service
from redis.asyncio import Redis

from tests.protocol.desks import desk
from tests.protocol.makers import payment, request
from tests.protocol.mutants import assert_fails_without, swapped


async def test_three_states() -> None:
    async def check() -> None:
        service = Service(ServiceConfig(), "test")
        assert service.state()["state"] == "ready"
        service.degraded("triton", "CIRCUIT_OPEN")
        assert service.state() == {"service": "test", "state": "ready-degraded", "missing": {"triton": "CIRCUIT_OPEN"}}
        service.not_ready("feature-store", "RESTORING")
        assert service.state()["state"] == "not-ready"
        service.recovered("feature-store")
        service.recovered("triton")
        assert service.state()["state"] == "ready"

    await assert_fails_without(
        "D20",
        check,
        swapped(Service, "not_ready", lambda self, component, reason: self.degraded(component, reason)),
        swapped(Service, "degraded", lambda self, component, reason: self.not_ready(component, reason)),
        swapped(Service, "recovered", lambda self, component: None),
    )


async def test_a_missing_model_server_is_said_and_taken_back(private_redis) -> None:
    from meshkit.errors import Unavailable

    async with desk(private_redis) as here:
        here.served.failure = Unavailable("gone", reason="CIRCUIT_OPEN")
        await here.decide(request(payment(1)))
        assert here.health.missing == {"triton": "CIRCUIT_OPEN"}
        here.served.failure = None
        await here.decide(request(payment(2)))
        assert here.health.missing == {}


async def test_quotas_without_redis(private_redis) -> None:
    private_redis.kill()

    async def check() -> None:
        clock = FakeClock()
        redis = Redis.from_url(private_redis.url, socket_connect_timeout=0.2)
        quotas = RedisQuotas(redis, {"decide": Rate(10, 5)}, clock)
        try:
            waits = [await quotas.take("bank-a", "anti-fraud", "decide") for _ in range(8)]
            assert [wait > 0 for wait in waits] == [False] * 5 + [True] * 3
        finally:
            await redis.aclose()

    await assert_fails_without(
        "D20",
        check,
        swapped(RedisQuotas, "_take_locally", lambda self, key, rate, now_s: 0.0),
        swapped(RedisQuotas, "_take_locally", lambda self, key, rate, now_s: 1.0),
    )
