"""D10. One primary with replicas: a replica that is promoted is another process, and nobody uses it before a restore."""

import uuid

from risk_scoring.adapters.redis_link import RedisLink

from tests.protocol.loops import until
from tests.protocol.makers import seen
from tests.protocol.mutants import assert_fails_without, swapped
from tests.protocol.stores import opened
from tests.stack import PrivateRedis


async def test_a_promoted_replica_has_to_be_restored(private_redis, stack, tmp_path) -> None:
    replica = PrivateRedis(stack.redis_server, tmp_path / "replica")
    replica.start()
    try:

        async def check() -> None:
            prefix = uuid.uuid4().hex
            async with opened(private_redis, prefix=prefix) as primary, opened(replica, prefix=prefix, adopt=False) as promoted:
                await primary.store.observe([seen(1)])
                await promoted.link.command("REPLICAOF", "127.0.0.1", private_redis.port)

                async def copied() -> bool:
                    return bool(await promoted.link.command("EXISTS", prefix + "generation"))

                await until(copied, "the copy")
                await promoted.link.command("REPLICAOF", "NO", "ONE")
                assert await promoted.link.adopt() is False

        genuine = RedisLink.adopt

        async def by_key_alone(self):
            await genuine(self)
            stored = await self.command("GET", self.prefix + "generation")
            self.generation = stored.decode() if stored else None
            return self.generation is not None

        await assert_fails_without("D10", check, swapped(RedisLink, "adopt", by_key_alone))
    finally:
        replica.kill()
