"""Commands on connections that are kept between commands, for what is asked three times a call.

The client of the library takes a connection out of its pool for every command, looks whether it is still alive, counts it under a lock,
reads it through streams and puts it back, which costs more than the command. Here a connection belongs to whoever asks until it fails. Its
handshake is the pool's own; then its bytes come here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import hiredis
from redis._parsers import BaseParser
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

Command = tuple[bytes | str | int, ...]
_packed: Any = hiredis.pack_command  # typed for one argument
_NOT_YET = object()


class _Held(asyncio.Protocol):
    """One connection: who asks has it alone."""

    def __init__(self, connection: Any) -> None:
        self.connection: AbstractConnection = connection
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error, notEnoughData=_NOT_YET)
        self._transport: asyncio.Transport = connection._writer.transport
        self._streams: asyncio.Protocol = self._transport.get_protocol()  # where the library waits for the end
        self._transport.set_protocol(self)
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Future[list[Any]] | None = None
        self._wanted = 0
        self._answers: list[Any] = []
        self._ended = self._transport.is_closing()

    async def ask(self, commands: Sequence[Command], until_s: float) -> list[Any]:
        """Return the answers, errors among them. Raises ConnectionError, TimeoutError; then the connection is of no use any more."""
        if self._ended:
            raise RedisConnectionError("Connection closed by server.")
        self._asked, self._wanted, self._answers = self._loop.create_future(), len(commands), []
        timer = self._loop.call_at(until_s, self._failed, TimeoutError())
        try:
            self._transport.write(b"".join(map(_packed, commands)))
            return await self._asked
        finally:
            timer.cancel()
            self._asked = None

    def data_received(self, data: bytes) -> None:
        """Take answers; what the server says of itself meanwhile is passed over."""
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not _NOT_YET:
                if not isinstance(answer, hiredis.PushNotification):
                    self._answers.append(answer)
        except InvalidResponse as error:
            self._failed(error)
        if len(self._answers) >= self._wanted and self._asked is not None and not self._asked.done():
            self._asked.set_result(self._answers)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: of whoever waits too."""
        self._ended = True
        self._failed(RedisConnectionError("Connection closed by server."))
        self._streams.connection_lost(exc)

    def _failed(self, error: Exception) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(error)


class HeldConnections:
    """Runs commands that may be repeated: one whose kept connection turns out to be dead goes out once more, on another."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool: Any = pool  # the library types none of it
        self._free: list[_Held] = []

    async def __call__(self, until_s: float, *command: bytes | str | int) -> Any:
        """Return the answer, as the protocol has it, until a time of the event loop. Raises TimeoutError and what the library does."""
        (answer,) = await self.together(until_s, command)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def together(self, until_s: float, *commands: Command) -> list[Any]:
        """Send commands at once; their answers may be errors. Cancelled, the connection is given up."""
        if self._free:
            try:
                return await self._on(self._free.pop(), commands, until_s)
            except RedisConnectionError:
                pass
        async with asyncio.timeout_at(until_s):
            held = _Held(await self._pool.get_connection())
        return await self._on(held, commands, until_s)

    async def _on(self, held: _Held, commands: Sequence[Command], until_s: float) -> list[Any]:
        try:
            answers = await held.ask(commands, until_s)
            if len(answers) != len(commands):
                raise RedisConnectionError("Answers to what was not asked.")
            for answer in answers:
                if isinstance(answer, RedisConnectionError):  # it says that it loads, or that it wants a password
                    raise answer
        except BaseException:  # whatever comes on it now belongs to these commands
            await held.connection.disconnect(nowait=True)
            await self._pool.release(held.connection)
            raise
        self._free.append(held)
        return answers
