"""The service's end of a fork server: starts it, asks for children, learns how each ended. Whoever holds a ``Child`` ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from documents.confine import Isolation
from documents.errors import ParserFailed
from documents.server import PACKET_BYTES

START_S = 60.0
"""Time to import the parsers on a busy machine."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended. ``signal`` is 0 when it did so by itself."""

    code: int = 0
    signal: int = 0
    cpu_s: float = 0.0
    resident_kib: int = 0
    server_died: bool = False


class Child:
    """A process with one piece of work."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ended: asyncio.Future[Ended]) -> None:
        self.reader = reader
        self.writer = writer
        self.ended = ended


class ForkServer:
    """One server process. Entered, it has imported everything; ``alive`` says whether it still answers."""

    def __init__(self, duty: str) -> None:
        self._duty = duty
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Ended]] = {}
        self.isolation = Isolation(network=False, processes=False, files=False)
        self.alive = False

    async def __aenter__(self) -> Self:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (a fork by this thread: the server dies with it)
                [sys.executable, "-I", "-m", "documents.server", self._duty, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._control.setblocking(False)
        try:
            async with asyncio.timeout(START_S):
                first = await asyncio.get_running_loop().sock_recv(self._control, PACKET_BYTES)
            self.isolation = Isolation(**json.loads(first)["ready"])
        except (OSError, ValueError, TimeoutError) as error:
            await self._end()
            raise ParserFailed("the parsers could not be started", "PARSER_UNAVAILABLE") from error
        except BaseException:
            await self._end()
            raise
        self.alive = True
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening
        await self._end()

    async def _end(self) -> None:
        self.alive = False
        self._control.close()
        self._process.kill()
        await asyncio.shield(asyncio.to_thread(self._process.wait))

    async def _listen(self) -> None:
        try:
            while packet := await asyncio.get_running_loop().sock_recv(self._control, PACKET_BYTES):
                message: dict[str, Any] = json.loads(packet)
                message.pop("failed", None)
                future = self._waiting.pop(message.pop("exit"), None)
                if future is not None and not future.done():
                    future.set_result(Ended(**message))
        except OSError:
            pass
        finally:
            self.alive = False
            for future in self._waiting.values():
                if not future.done():
                    future.set_result(Ended(server_died=True))
            self._waiting.clear()

    @contextlib.asynccontextmanager
    async def child(self, files: list[int], *, memory_bytes: int, cpu_s: int, open_files: int) -> AsyncIterator[Child]:
        """A new process, which is gone when the context ends. ``files`` are lent: the caller closes its own.

        Raises ParserFailed PARSER_UNAVAILABLE when the server is gone.
        """
        self._number += 1
        number = self._number
        ours, theirs = socket.socketpair()
        with theirs:
            message = {"fork": number, "memory_bytes": memory_bytes, "cpu_s": cpu_s, "open_files": open_files}
            ended = self._waiting[number] = asyncio.get_running_loop().create_future()
            try:
                if not self.alive:
                    raise BrokenPipeError
                socket.send_fds(self._control, [json.dumps(message).encode()], [theirs.fileno(), *files])
            except OSError as error:
                ours.close()
                del self._waiting[number]
                raise ParserFailed("the fork server is gone", "PARSER_UNAVAILABLE") from error
        try:
            reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
            try:
                yield Child(reader, writer, ended)
            finally:
                writer.transport.abort()
        finally:
            ours.close()
            if not ended.done():
                with contextlib.suppress(OSError):
                    self._control.send(json.dumps({"kill": number}).encode())
                await asyncio.shield(ended)
