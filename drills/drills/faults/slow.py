"""A TCP proxy that can be made slow: `python -m drills.faults.slow LISTEN_PORT TO_PORT SEED`, a process of its own.

SIGUSR1 makes it slow (every chunk of bytes waits, 20 to 400 ms, drawn anew each time it becomes slow), SIGUSR2 fast again. Bytes
keep their order. A process of its own, because the latency that it adds must not depend on the load driver.
"""

import asyncio
import contextlib
import random
import signal
import sys

from localmesh.ports import LOOPBACK

_CHUNK_BYTES = 65_536
_SLOW_S = (0.02, 0.4)


class Proxy:
    """Forwards connections to another loopback port; `delay_s` holds for every chunk from now on."""

    def __init__(self, to_port: int) -> None:
        self.delay_s = 0.0
        self._to_port = to_port

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client: connect on, pass bytes both ways until either side ends."""
        try:
            there_reader, there_writer = await asyncio.open_connection(LOOPBACK, self._to_port)
        except OSError:
            await _closed(writer)
            return
        await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(chunk)
                await writer.drain()
        await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.close()
        await writer.wait_closed()


async def serve(listen_port: int, to_port: int, seed: int) -> None:
    """Run for ever."""
    proxy, rng, loop = Proxy(to_port), random.Random(seed), asyncio.get_running_loop()

    def become(delay_s: float) -> None:
        proxy.delay_s = delay_s

    loop.add_signal_handler(signal.SIGUSR1, lambda: become(rng.uniform(*_SLOW_S)))
    loop.add_signal_handler(signal.SIGUSR2, lambda: become(0.0))
    server = await asyncio.start_server(proxy.connected, LOOPBACK, listen_port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4])))
