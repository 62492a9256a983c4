"""D9. The restore lock outlives neither its holder nor Redis by long, and a store that forgot while it was restored is told apart."""

import asyncio

import pytest
from meshkit.errors import Unavailable
from risk_scoring.adapters import redis_link
from risk_scoring.steps import restore
from risk_scoring.steps.restore import Restorer

from tests.protocol.desks import desk
from tests.protocol.loops import until
from tests.protocol.makers import payment, request
from tests.protocol.mutants import assert_fails_without, lua, swapped
from tests.protocol.stores import opened
from tests.stack import PrivateRedis


async def test_the_lock_of_a_dead_holder_is_free_soon(private_redis: PrivateRedis) -> None:
    """The stream was killed while it held the lock, and nothing was decided for the thirty seconds that the lock lived on."""

    async def check() -> None:
        async with opened(private_redis) as shelf:
            assert await shelf.link.lock()
            assert await shelf.link.command("PTTL", shelf.link.prefix + "restoring") <= 10_000

    await assert_fails_without("D9", check, swapped(redis_link, "_LOCK_MS", 30_000))


async def test_whoever_restores_for_long_keeps_the_lock(private_redis: PrivateRedis) -> None:
    async def check() -> None:
        async with desk(private_redis) as at:
            link, left_ms = at.shelf.link, 0

            async def longer_or_gone() -> bool:
                nonlocal left_ms
                left_ms = await link.command("PTTL", link.prefix + "restoring")
                return not 0 <= left_ms <= 2_000

            with swapped(redis_link, "_LOCK_MS", 60_000), swapped(restore, "_RENEW_S", 0.02):
                async with at.restorer._locked():
                    for _ in range(3):
                        await link.command("PEXPIRE", link.prefix + "restoring", 2_000)  # most of its life has passed
                        await until(longer_or_gone, "the lock to be renewed or lost")
                        assert left_ms > 2_000

    async def never(self: Restorer, token: str, done: asyncio.Event) -> None:
        return None

    await assert_fails_without("D9", check, swapped(Restorer, "_renew", never))


async def test_a_store_that_forgot_in_the_middle_of_a_restore_is_refused(private_redis: PrivateRedis) -> None:
    """Otherwise the mark of the second half would say that the first is known, and what stood there would be decided again."""

    async def check() -> None:
        async with desk(private_redis) as at:
            for number in range(5):  # read in pieces of two
                await at.score(request(payment(number)), 1.0)
            (partition,) = {place for place, held in enumerate(at.log.decisions) if held}
            link, genuine = at.shelf.link, at.shelf.store.restore
            await link.command("FLUSHALL")

            async def forgets(token, fresh, place, next_offset, first_offset):
                if place == partition and first_offset == 4:
                    held = await link.command("GET", link.prefix + "restoring")
                    await link.command("FLUSHALL")
                    await link.command("SET", link.prefix + "restoring", held)
                return await genuine(token, fresh, place, next_offset, first_offset)

            at.shelf.store.restore = forgets
            with pytest.raises(Unavailable):
                await at.restorer.ensure()
            at.shelf.store.restore = genuine
            await at.restorer.ensure()
            for number in range(5):
                assert (await at.score(request(payment(number)), 1.0)).replayed

    async def checked() -> None:
        try:
            await check()
        except pytest.fail.Exception as error:  # nothing was raised
            raise AssertionError(str(error)) from error

    mutant = lua("restore", "< header[5] - 1 then", "< -1 then")
    await assert_fails_without("D9", checked, mutant)
