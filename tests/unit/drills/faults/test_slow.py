"""The slow proxy passes bytes on, in order, late when it is told to be, and hangs up when nobody is behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest
from drills.faults.slow import Proxy
from localmesh.ports import LOOPBACK, free_ports

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def served(connected: Connected) -> AsyncIterator[int]:
    """A server on a port; leaving waits until its connections have ended."""
    running: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(lambda *pair: running.append(asyncio.create_task(connected(*pair))), LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*running)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("delay_s", [0.0, 0.1])
async def test_bytes_arrive_in_order_and_as_late_as_asked(delay_s: float) -> None:
    async with served(echo) as port:
        proxy = Proxy(port)
        proxy.delay_s = delay_s
        async with served(proxy.connected) as front:
            reader, writer = await asyncio.open_connection(LOOPBACK, front)
            began_s = asyncio.get_running_loop().time()
            writer.write(b"one two three")
            assert await reader.readexactly(13) == b"one two three"
            assert asyncio.get_running_loop().time() - began_s >= 2 * delay_s
            writer.close()
            assert await reader.read() == b""
            await writer.wait_closed()


async def test_a_client_is_hung_up_on_when_nobody_is_behind() -> None:
    async with served(Proxy(free_ports(1)[0]).connected) as front:
        reader, writer = await asyncio.open_connection(LOOPBACK, front)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
