"""Connections that are kept between commands: an answer belongs to whoever asked, a dead one is replaced, an error is an answer."""

import asyncio
import datetime as dt
import signal
import ssl
from collections.abc import AsyncIterator
from typing import Any

import hiredis
import pytest
from provisioning import certificates
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError
from risk_scoring.adapters.held_connections import HeldConnections

from tests.protocol.mutants import swapped
from tests.stack import PrivateRedis

SLOW = ("BLPOP", "nothing", "0.4")  # the answer is nil, after that many seconds


class Commands:
    """Commands that have 5 s each, and how they are written elsewhere."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.held = HeldConnections(pool)

    async def __call__(self, *command: Any, within_s: float = 5.0) -> Any:
        return await self.held(asyncio.get_running_loop().time() + within_s, *command)


@pytest.fixture
async def held(private_redis: PrivateRedis) -> AsyncIterator[tuple[Commands, ConnectionPool]]:
    pool: ConnectionPool = ConnectionPool.from_url(private_redis.url)
    yield Commands(pool), pool
    async with asyncio.timeout(5):
        await pool.disconnect()


async def ids(commands: Commands, count: int) -> set[int]:
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
        await commands(*SLOW, within_s=0.1)
    assert await commands("ECHO", "mine") == b"mine"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):  # whoever asked is cancelled
            await commands(*SLOW)
    assert await commands("ECHO", "mine") == b"mine"

    async def kept(self, held, commands, until_s):
        self._free.append(held)
        return await held.ask(commands, until_s)

    with swapped(HeldConnections, "_on", kept):
        with pytest.raises(TimeoutError):
            await commands(*SLOW, within_s=0.1)
        answers = await commands.held.together(asyncio.get_running_loop().time() + 5, ("ECHO", "mine"))
        assert answers[0] is None, "what the checks above are for"


async def test_several_at_once_have_their_answers_in_order_errors_among_them(held) -> None:
    commands, _ = held
    until_s = asyncio.get_running_loop().time() + 5
    big = "值" * 200_000  # comes in many pieces
    answers = await commands.held.together(until_s, ("ECHO", "a"), ("NO-SUCH-COMMAND",), ("GET", "nothing"), ("ECHO", big))
    assert (answers[0], answers[2], answers[3]) == (b"a", None, big.encode())
    assert isinstance(answers[1], ResponseError)


async def test_a_script_that_is_not_there_is_told_by_its_kind(held) -> None:
    commands, _ = held
    with pytest.raises(NoScriptError):
        await commands("EVALSHA", "0" * 40, 0)


async def test_who_waits_when_the_connection_ends_is_told(held, private_redis: PrivateRedis) -> None:
    commands, _ = held
    waiting = asyncio.create_task(commands("BLPOP", "nothing", 0))
    while b"cmd=blpop" not in await commands("CLIENT", "LIST"):
        await asyncio.sleep(0)
    private_redis.kill(signal.SIGKILL)
    with pytest.raises(RedisConnectionError):
        await waiting


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


async def test_over_tls(tmp_path) -> None:
    """No server of the stack speaks it; what is asked of this one is the handshake and an echo."""
    certificates.ensure_certificates(tmp_path, dt.datetime.now(dt.UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "gateway.pem", tmp_path / "gateway.key")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        while data := await reader.read(65_536):
            commands.feed(data)
            while command := commands.gets():
                text = command[-1] if command[0] == b"ECHO" else b"OK"
                writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n" if command[0] == b"HELLO" else b"$%d\r\n%s\r\n" % (len(text), text))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    pool: ConnectionPool = ConnectionPool.from_url(f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path / 'authority.pem'}")
    commands = Commands(pool)
    for text in ("a", "值" * 100_000, "b"):
        assert await commands("ECHO", text) == text.encode()
    async with asyncio.timeout(5):
        await pool.disconnect()
    server.close()
    with pytest.raises(RedisConnectionError):
        await commands("ECHO", "c")
