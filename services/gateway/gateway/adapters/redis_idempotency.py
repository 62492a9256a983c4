"""Which body an idempotency key came with, in Redis; in this process alone while Redis is away.

Best effort by design: payments are idempotent by their identity in risk-scoring. This catches a caller that uses a key for two things.
"""

from __future__ import annotations

import hashlib
from typing import Any

from meshkit.clock import Clock
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.domain.bodies import SeenBodies
from gateway.domain.standby import Standby

_MOST_LOCAL = 100_000


class RedisIdempotencyKeys:
    """Remembers keys for ``life_s`` seconds."""

    def __init__(self, redis: Redis, life_s: float, clock: Clock) -> None:
        self._redis: Any = redis
        self._life_s = life_s
        self._clock = clock
        self._standby = Standby()
        self._local = SeenBodies(life_s=life_s, most=_MOST_LOCAL)

    async def claim(self, tenant: str, method: str, key: str, digest: bytes) -> bool:
        """Claim a key for a body; see ``ports.IdempotencyKeys``."""
        name = hashlib.sha256("\0".join((tenant, method, key)).encode()).hexdigest()
        now_s = self._clock.monotonic_s()
        local = self._local.claim(name, digest, now_s)
        if self._standby.is_on(now_s):
            return local
        try:
            before = await self._redis.set(f"finmesh:gateway:key:{name}", digest, nx=True, get=True, px=int(self._life_s * 1000))
        except (RedisError, OSError, TimeoutError):
            self._standby.failed(now_s)
            return local
        return before is None or bytes(before) == digest
