"""The feature store on a private redis-server, restored and ready."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgpack
from meshkit.clock import FakeClock
from meshkit.config import RedisSettings
from risk_scoring.adapters.redis_feature_store import RedisFeatureStore
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.domain.observation import RecordPlace, RestoredRecord

from tests.protocol.makers import DAY, NOW
from tests.stack import PrivateRedis


@dataclass
class Shelf:
    """One process' view of the store."""

    link: RedisLink
    store: RedisFeatureStore
    clock: FakeClock

    async def keys(self) -> list[bytes]:
        """All keys under the prefix."""
        return sorted(await self.link.command("KEYS", self.link.prefix + "*"))

    async def contents(self) -> dict[bytes, bytes]:
        """All keys with their serialised values."""
        return {key: await self.link.command("DUMP", key) for key in await self.keys()}

    async def keep_by_place(self, decision_id: bytes, place: RecordPlace) -> None:
        """Write state 3 over a stored decision."""
        name = self.link.prefix.encode() + b"d:" + decision_id
        entry = msgpack.unpackb(await self.link.command("GET", name), raw=True)
        await self.link.command("SET", name, msgpack.packb([3, entry[1], *place], use_bin_type=False), "KEEPTTL")

    async def restore(self, records: Sequence[RestoredRecord], partition: int = 0, next_offset: int = 1) -> tuple[int, int]:
        """Restore under a lock of its own."""
        token = await self.link.lock()
        assert token is not None
        try:
            return await self.store.restore(token, records, partition, next_offset)
        finally:
            await self.link.unlock(token)


@asynccontextmanager
async def opened(
    redis: PrivateRedis,
    *,
    prefix: str | None = None,
    clock: FakeClock | None = None,
    horizon_s: int = DAY,
    adopt: bool = True,
    timeout_ms: int = 2_000,
) -> AsyncIterator[Shelf]:
    """Open a shelf; ``prefix`` None: an empty one of its own. With ``adopt`` an unrestored store is declared restored."""
    link = RedisLink(RedisSettings(url=redis.url, timeout_ms=timeout_ms), uuid.uuid4().hex + ":" if prefix is None else prefix)
    clock = clock or FakeClock(NOW)
    try:
        if adopt and not await link.adopt():
            await link.publish_generation()
        yield Shelf(link, RedisFeatureStore(link, clock, horizon_s), clock)
    finally:
        await link.aclose()
