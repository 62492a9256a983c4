"""Connections that are kept between commands: an answer belongs to whoever asked, a dead one is replaced, an error is an answer."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from risk_scoring.adapters.held_connections import HeldConnections

from tests.protocol.mutants import swapped
from tests.stack import PrivateRedis

SLOW = "local ending = redis.call('TIME')[1] + 1; while redis.call('TIME')[1] - ending < 0 do end; return 'late'"


@pytest.fixture
async def held(private_redis: PrivateRedis) -> AsyncIterator[tuple[HeldConnections, ConnectionPool]]:
    pool: ConnectionPool = ConnectionPool.from_url(private_redis.url)
    yield HeldConnections(pool), pool
    await pool.disconnect()


async def ids(commands: HeldConnections, count: int) -> set[int]:
    """Connections by number, of commands one after the other."""
    return {await commands("CLIENT", "ID") for _ in range(count)}


async def test_one_after_the_other_share_a_connection_and_at_once_they_do_not(held) -> None:
    commands, _ = held
    assert len(await ids(commands, 5)) == 1
    answers = await asyncio.gather(*(commands("ECHO", f"值{number}") for number in range(20)))
    assert answers == [f"值{number}".encode() for number in range(20)]
    assert len(set(await asyncio.gather(*(commands("CLIENT", "ID") for _ in range(20))))) > 1


async def test_an_answer_that_comes_late_is_nobody_s(held) -> None:
    commands, _ = held
    await commands("PING")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await commands("EVAL", SLOW, 0)
    assert await commands("ECHO", "mine") == b"mine"

    async def kept(self, connection, command):
        self._free.append(connection)
        await connection.send_packed_command(connection.pack_command(*command), check_health=False)
        return await connection.read_response(disconnect_on_error=False)

    with swapped(HeldConnections, "_on", kept):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await commands("EVAL", SLOW, 0)
        assert await commands("ECHO", "mine") == b"late", "what the check above is for"


async def test_an_error_is_an_answer(held) -> None:
    commands, _ = held
    before = await ids(commands, 1)
    with pytest.raises(ResponseError, match="no such thing"):
        await commands("EVAL", "return redis.error_reply('ERR no such thing')", 0)
    assert await ids(commands, 1) == before


async def test_a_dead_connection_is_replaced_once(held, private_redis: PrivateRedis) -> None:
    commands, pool = held
    await asyncio.gather(*(commands("PING") for _ in range(3)))
    private_redis.kill(signal.SIGKILL)
    with pytest.raises(RedisConnectionError):
        await commands("PING")
    private_redis.start()
    assert [await commands("PING") for _ in range(4)] == [b"PONG"] * 4
    assert len(pool._in_use_connections) <= 3, "dead ones go back to the pool"
