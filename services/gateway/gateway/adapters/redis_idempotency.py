"""Which body an idempotency key came with, in Redis; in this process alone while Redis is away.

Best effort by design: payments are idempotent by their identity in risk-scoring. This catches a caller that uses a key for two things.
Redis holds no bare hash of a body, which could be guessed: it is keyed by the caller's own idempotency key, which is not stored.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import Any

from meshkit.clock import Clock
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.domain.bodies import SeenBodies
from gateway.domain.standby import Standby

_MAX_LOCAL = 100_000
_logger = logging.getLogger(__name__)


class RedisIdempotencyKeys:
    """Remembers keys for ``life_s`` seconds."""

    def __init__(self, redis: Redis, life_s: float, clock: Clock) -> None:
        self._redis: Any = redis
        self._life_s = life_s
        self._clock = clock
        self._standby = Standby()
        self._local = SeenBodies(life_s=life_s, max_bodies=_MAX_LOCAL)

    async def claim(self, tenant: str, method: str, key: str, digest: bytes) -> bool:
        """Claim a key for a body; see ``ports.IdempotencyKeys``."""
        whole_key = "\0".join((tenant, method, key)).encode()
        name, keyed = hashlib.sha256(whole_key).hexdigest(), hmac.digest(whole_key, digest, "sha256")
        now_s = self._clock.monotonic_s()
        local = self._local.claim(name, digest, now_s)
        if self._standby.is_on(now_s):
            return local
        try:
            place = f"finmesh:gateway:key:{name}"
            if await self._redis.set(place, keyed, nx=True, px=int(self._life_s * 1000)):
                return True
            before = await self._redis.get(place)  # NX with GET in one command needs Redis 7
        except (RedisError, OSError, TimeoutError) as error:
            self._standby.failed(now_s)
            _logger.warning("idempotency keys are local for a moment", extra={"facts": {"error.type": type(error).__name__}})
            return local
        return before is None or bytes(before) in (keyed, digest)  # an earlier release stored the digest itself
