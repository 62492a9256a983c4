"""D8. A restart of 200 ms is noticed by the run id, on whatever connection; eviction and a missing append-only file are refused."""

import signal
from unittest.mock import AsyncMock

import pytest
from meshkit.errors import FailedPrecondition, Unavailable
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.domain.observation import New, StoredVector
from risk_scoring.ports import StoreForgotten

from tests.protocol.makers import NO_CAP, TENANT, candidate, seen
from tests.protocol.mutants import assert_fails_without, swapped
from tests.protocol.stores import Shelf, opened
from tests.stack import PrivateRedis


def restart(redis: PrivateRedis) -> None:
    """As fast as a restart can be: nothing is lost from the append-only file, the generation key is there again."""
    redis.kill(signal.SIGTERM)
    redis.start()


async def refused(call) -> bool:
    """Whether the store sent us to a restore. A broken connection may show first, once."""
    for _ in range(2):
        try:
            await call()
        except StoreForgotten:
            return True
        except Unavailable:
            continue
        return False
    return False


def trusting(self, name, args, timeout_s, *, check):
    return self._execute("EVAL", self._sources[name], 0, *args)


CALLS = {
    "observe": lambda shelf: shelf.store.observe([seen(2)]),
    "finalise": lambda shelf: shelf.store.finalise([candidate(seen(1), b"d")], {TENANT: NO_CAP}),
    "amend": lambda shelf: shelf.store.amend([], "labels:0", "t@1"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_nothing_is_read_or_written_after_a_restart(private_redis, call) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            generation = shelf.link.generation
            restart(private_redis)
            assert await refused(lambda: CALLS[call](shelf))
            assert await shelf.link.command("GET", shelf.link.prefix + "generation") == generation.encode(), "the key alone shows nothing"

    await assert_fails_without("D8", check, swapped(RedisLink, "_run", trusting))


async def test_a_call_that_was_already_on_its_way_is_refused_too(private_redis) -> None:
    """The call has taken the generation when the connection breaks; the new connection is another Redis."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            generation = shelf.link.generation
            restart(private_redis)
            await shelf.link.redis.ping()  # connects again
            shelf.link.generation = generation  # as the call had read it
            assert await refused(lambda: shelf.store.observe([seen(2)]))

    await assert_fails_without("D8", check, swapped(RedisLink, "_run", trusting))


@pytest.mark.parametrize("reconnects", [True, False])
async def test_what_was_decided_before_a_restart_is_not_confirmed(private_redis, reconnects) -> None:
    """The generation key is the same, and whoever connects again may have done so before it is asked."""

    async def by_key_alone(self, generation):
        if await self.command("GET", self.prefix + "generation") != generation.encode():
            raise StoreForgotten

    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.store.observe([seen(1)])
            generation = shelf.link.generation
            await shelf.store.confirm(generation)
            restart(private_redis)
            if reconnects:
                await shelf.link.redis.ping()
                shelf.link.generation = generation
            assert await refused(lambda: shelf.store.confirm(generation))

    await assert_fails_without("D8", check, swapped(RedisLink, "confirm", by_key_alone))


async def test_what_was_decided_is_confirmed_by_a_process_that_lost_its_scripts(private_redis) -> None:
    async with opened(private_redis) as shelf:
        await shelf.store.observe([seen(1)])
        await shelf.link.command("SCRIPT", "FLUSH")
        await shelf.store.confirm(shelf.link.generation)


async def test_a_process_that_starts_later_sees_it_as_well(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis, prefix="later:"):
            pass
        restart(private_redis)
        async with opened(private_redis, prefix="later:", adopt=False) as shelf:
            assert await shelf.link.adopt() is False

    async def by_key_alone(self):
        stored = await self.command("GET", self.prefix + "generation")
        self.generation = stored.decode() if stored else None
        return self.generation is not None

    await assert_fails_without("D8", check, swapped(RedisLink, "adopt", by_key_alone))


async def test_a_restart_during_the_restore_spoils_it(private_redis) -> None:
    async def check() -> None:
        async with opened(private_redis, adopt=False) as shelf:
            assert await shelf.link.adopt() is False
            await shelf.link.invalidate()
            restart(private_redis)
            assert await refused(shelf.link.publish_generation)
            assert not await shelf.link.command("EXISTS", shelf.link.prefix + "generation")

    async def careless(self):
        await self.command("SET", self.prefix + "generation", "x")

    await assert_fails_without("D8", check, swapped(RedisLink, "publish_generation", careless))


async def test_a_flushed_store_is_noticed(private_redis) -> None:
    async with opened(private_redis) as shelf:
        await shelf.store.observe([seen(1)])
        await shelf.link.command("FLUSHALL")
        assert await refused(lambda: shelf.store.observe([seen(1)]))


async def test_a_script_cache_that_was_emptied_is_no_restart(private_redis) -> None:
    async with opened(private_redis) as shelf:
        await shelf.store.observe([seen(1)])
        await shelf.link.command("SCRIPT", "FLUSH")
        assert (await shelf.store.observe([seen(1)])).rows == [StoredVector(1)]


async def durable(shelf: Shelf) -> None:
    """The check at start."""
    await shelf.link.check_durability()


@pytest.mark.parametrize(("name", "value"), [("maxmemory-policy", "allkeys-lru"), ("appendonly", "no")])
async def test_settings_that_forget_are_refused(private_redis, name, value) -> None:
    async def check() -> None:
        async with opened(private_redis) as shelf:
            await shelf.link.command("CONFIG", "SET", name, value)
            try:
                await durable(shelf)
            except FailedPrecondition as error:
                assert error.reason == "STORE_NOT_DURABLE"
            else:
                raise AssertionError("it started on a store that forgets")

    await assert_fails_without("D8", check, swapped(RedisLink, "check_durability", AsyncMock()))


async def test_the_shipped_settings_pass(private_redis) -> None:
    async with opened(private_redis) as shelf:
        await durable(shelf)


async def test_a_call_that_ran_out_of_time_leaves_no_answer_behind(private_redis) -> None:
    """The next call on the pool must not read the answer of the one that was given up."""
    async with opened(private_redis) as shelf:
        await shelf.store.observe([seen(1)])
        await shelf.link.command("CLIENT", "PAUSE", 150, "ALL")
        with pytest.raises(Unavailable):
            await shelf.store.observe([seen(n) for n in range(20)], timeout_s=0.02)
        again = await shelf.store.observe([seen(100)])
        assert again.rows == [New()] and len(again.vectors) == 1
