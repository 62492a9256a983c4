"""Token buckets in Redis, shared by all gateways; a local bucket with the same rate while Redis is away.

A call does not wait for Redis: tokens are leased in portions of a tenth of a second and spent locally, so a tenant may exceed its rate by
at most one portion a gateway. A lease that is not spent within ``_LEASE_S`` is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshkit.clock import Clock
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.domain.route import QuotaClass
from gateway.domain.standby import Standby
from gateway.domain.token_bucket import Rate, RateLeft, TokenBucket

_LEASE_S = 1.0
_PORTION_S = 0.1
_MAX_TENANTS = 10_000
_logger = logging.getLogger(__name__)

# KEYS[1] bucket; ARGV: rate per second, burst, now in seconds, tokens wanted. Returns {granted, ms until one is there, how many are left}.
_SCRIPT = """
local state = redis.call('HMGET', KEYS[1], 'level', 'at')
local rate, burst, now, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local level, at = tonumber(state[1]) or burst, tonumber(state[2]) or now
level = math.min(burst, level + math.max(0, now - at) * rate)
local granted = math.min(wanted, math.floor(level))
local wait = 0
if granted < 1 then granted = 0; wait = math.ceil((1 - level) / rate * 1000) end
redis.call('HSET', KEYS[1], 'level', tostring(level - granted), 'at', tostring(math.max(now, at)))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {granted, wait, math.floor(level - granted)}
"""


@dataclass(slots=True)
class _Lease:
    tokens: int = 0
    until_s: float = 0.0
    behind: int = 0  # left in Redis when it was leased
    since_s: float = 0.0
    refused_until_s: float = 0.0
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def spend(self, now_s: float) -> bool:
        """Spend a leased token, if there is one."""
        if self.tokens < 1 or now_s >= self.until_s:
            return False
        self.tokens -= 1
        return True


class RedisQuotas:
    """Meters per tenant, scenario and quota class. Times come from ``clock``; gateways must agree within a second or so."""

    def __init__(self, redis: Redis, rates: Mapping[QuotaClass, Rate], clock: Clock) -> None:
        self._script: Any = redis.register_script(_SCRIPT)
        self._rates = rates
        self._clock = clock
        self._leases: dict[tuple[str, str, str], _Lease] = {}
        self._standby = Standby()
        self._local: dict[tuple[str, str, str], TokenBucket] = {}

    async def take(self, tenant: str, scenario: str, quota_class: QuotaClass) -> float:
        """Take one call; see ``ports.Quotas``."""
        key = (tenant, scenario, quota_class)
        lease = self._leases.get(key)
        if lease is None:
            if len(self._leases) >= _MAX_TENANTS:
                self._leases.clear()
            lease = self._leases[key] = _Lease()
        if lease.spend(self._clock.monotonic_s()):
            return 0.0
        async with lease.renewing:  # one call asks Redis, those behind it spend what it brought
            now_s = self._clock.monotonic_s()
            if lease.spend(now_s):
                return 0.0
            if now_s < lease.refused_until_s:
                return lease.refused_until_s - now_s
            return await self._renew(key, lease, now_s)

    def left(self, tenant: str, scenario: str, quota_class: QuotaClass) -> RateLeft:
        """See ``ports.Quotas``: by what Redis said last, calls at other gateways since then are not known."""
        key, rate, now_s = (tenant, scenario, quota_class), self._rates[quota_class], self._clock.monotonic_s()
        local, lease = self._local.get(key), self._leases.get(key)
        if local is not None and self._standby.is_on(now_s):
            return RateLeft.of(rate, local.level(now_s))
        if lease is None or not lease.since_s:
            return RateLeft.of(rate, rate.burst)
        leased = lease.tokens if now_s < lease.until_s else 0
        return RateLeft.of(rate, lease.behind + (now_s - lease.since_s) * rate.per_s + leased)

    async def _renew(self, key: tuple[str, str, QuotaClass], lease: _Lease, now_s: float) -> float:
        rate = self._rates[key[2]]
        if self._standby.is_on(now_s):
            return self._take_locally(key, rate, now_s)
        try:
            granted, wait_ms, lease.behind = await self._ask(key, rate)
            lease.since_s = now_s
        except (RedisError, OSError, TimeoutError) as error:
            self._standby.failed(now_s)
            _logger.warning("quotas are local for a moment", extra={"facts": {"error.type": type(error).__name__}})
            return self._take_locally(key, rate, now_s)
        if granted < 1:
            lease.refused_until_s = now_s + wait_ms / 1000
            return max(wait_ms, 1) / 1000
        lease.tokens, lease.until_s = granted - 1, now_s + _LEASE_S
        return 0.0

    async def _ask(self, key: tuple[str, str, QuotaClass], rate: Rate) -> tuple[int, int, int]:
        portion = max(1, min(math.floor(rate.per_s * _PORTION_S), math.floor(rate.burst)))
        granted, wait_ms, behind = await self._script(
            keys=["finmesh:gateway:quota:" + ":".join(key)],
            args=[rate.per_s, rate.burst, f"{self._clock.now_s():.6f}", portion],
        )
        return int(granted), int(wait_ms), int(behind)

    def _take_locally(self, key: tuple[str, str, str], rate: Rate, now_s: float) -> float:
        bucket = self._local.get(key)
        if bucket is None:
            if len(self._local) >= _MAX_TENANTS:
                self._local.clear()
            bucket = self._local[key] = TokenBucket(rate, now_s)
        return bucket.take(now_s)
