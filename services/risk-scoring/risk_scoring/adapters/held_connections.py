"""Commands on connections that are kept between commands, for what is asked three times a call.

The client of the library takes a connection out of its pool for every command, looks whether it is still alive, counts it under a lock and
puts it back, which costs more than the command. Here a connection belongs to whoever asks until it fails; its handshake is the pool's own.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class HeldConnections:
    """Runs commands that may be repeated: one whose kept connection turns out to be dead goes out once more, on another."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool: Any = pool  # the library types none of it
        self._free: list[AbstractConnection] = []

    async def __call__(self, *command: Any) -> Any:
        """Return the answer as the protocol has it. Raises what the library does; cancelled, the connection is given up."""
        if self._free:
            try:
                return await self._on(self._free.pop(), command)
            except RedisConnectionError:
                pass
        return await self._on(await self._pool.get_connection(), command)

    async def _on(self, connection: AbstractConnection, command: tuple[Any, ...]) -> Any:
        try:
            await connection.send_packed_command(connection.pack_command(*command), check_health=False)
            answer = await connection.read_response()
        except ResponseError:  # an answer like any other
            self._free.append(connection)
            raise
        except BaseException:  # whatever comes on it now belongs to this command
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
            raise
        self._free.append(connection)
        return answer
