"""Documents are parsed here: bytes in, a parsed document out, whatever the bytes do to the parser.

The service's process never looks into a document. A fork server with the parsers imported forks one child for each, confined as
``confine`` says; images of pages without text go through here, unread, to a child of a second fork server, one at a time, which lives only
while it is needed. What comes back is checked by ``wire``. A child that dies is an error with a reason;
the next document meets a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
from collections.abc import AsyncIterator, Awaitable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from documents import errors, frames, wire
from documents.clean import clean
from documents.confine import Isolation
from documents.forked import Child, Ended, ForkServer
from documents.limits import Limits
from documents.page import IMAGE_BYTES, LINES_BYTES
from documents.parsed import Parsed

OCR_IDLE_S = 30.0
"""How long the reader of images, 180 MB with its models, outlives its last page."""
END_S = 1.0
"""Until a child that closed its channel must have ended."""
_Result = TypeVar("_Result")


class Sandbox:
    """Parses up to ``at_once`` documents side by side; more wait. One event loop. ``ocr``: pages without text are read as images."""

    def __init__(self, limits: Limits | None = None, *, at_once: int = 2, ocr: bool = True) -> None:
        self.limits = limits or Limits()
        self._ocr = ocr
        self._slots = asyncio.Semaphore(at_once)
        self._parsers = _Kept("parse", None)
        self._readers = _Kept("recognise", OCR_IDLE_S)
        self._one_page = asyncio.Lock()

    async def __aenter__(self) -> Self:
        async with self._parsers.server():
            return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._readers.close()
        await self._parsers.close()

    @property
    def isolation(self) -> Isolation:
        """What the kernel let us take away from parsers. All False before the first one started."""
        return self._parsers.isolation

    async def parse(self, content: bytes | Path, name: str, media_type: str = "") -> Parsed:
        """``name`` is a file name, whose ending says what it should be; ``media_type`` too, where it is known. The bytes decide.

        Raises a DocumentError; OSError when a path can't be read.
        """
        async with self._slots, _descriptor(content, self.limits) as document:
            for _ in range(2):  # a server that died under a document is not that document's doing
                with contextlib.suppress(_ServerDied):
                    return await self._parse(document, name, media_type)
            raise errors.ParserFailed("the fork server died twice", "PARSER_UNAVAILABLE")

    async def _parse(self, document: int, name: str, media_type: str) -> Parsed:
        limits = self.limits
        size = os.fstat(document).st_size
        request = {"name": name[-255:], "media_type": media_type[:255], "ocr": self._ocr, "limits": asdict(limits)}
        async with (
            self._parsers.server() as server,
            server.child([document], memory_bytes=limits.memory_bytes + size, cpu_s=limits.cpu_s, open_files=limits.open_files) as child,
        ):
            payload = await _heard(child, self._answer(child, json.dumps(request).encode()))
        try:
            return await asyncio.to_thread(wire.decode, payload, limits)
        except wire.WrongForm as error:
            raise errors.ParserFailed(str(error)) from error

    async def _answer(self, child: Child, request: bytes) -> bytes:
        most = {frames.RESULT: self.limits.max_result_bytes, frames.ERROR: frames.SMALL, frames.IMAGE: IMAGE_BYTES}
        left_s, pages = self.limits.wall_s, 0
        clock = asyncio.get_running_loop().time
        await frames.send_async(child.writer, frames.REQUEST, request)
        while True:
            started = clock()
            async with asyncio.timeout(left_s):
                kind, payload = await frames.receive_async(child.reader, most)
            left_s -= clock() - started
            if kind == frames.RESULT:
                return payload
            if kind == frames.ERROR:
                raise _told(payload)
            pages += 1
            if pages > self.limits.max_ocr_pages:
                raise errors.TooLarge("too many pages without text", "TOO_MANY_SCANNED_PAGES")
            kind, payload = await self._recognise(payload)
            async with asyncio.timeout(left_s):
                await frames.send_async(child.writer, kind, payload)

    async def _recognise(self, image: bytes) -> tuple[bytes, bytes]:
        """The lines of one image as they came, which only another child reads; or an error, which costs the document that page."""
        limits = self.limits
        async with (
            self._one_page,
            self._readers.server() as server,
            server.child([], memory_bytes=limits.ocr_memory_bytes, cpu_s=limits.ocr_page_cpu_s, open_files=limits.open_files) as child,
        ):
            try:
                return await _heard(child, _read_image(child, image, limits.ocr_page_wall_s))
            except errors.ParserFailed as error:
                return frames.ERROR, json.dumps([error.reason, error.message]).encode()


async def _read_image(child: Child, image: bytes, wall_s: float) -> tuple[bytes, bytes]:
    async with asyncio.timeout(wall_s):
        await frames.send_async(child.writer, frames.IMAGE, image)
        return await frames.receive_async(child.reader, {frames.LINES: LINES_BYTES, frames.ERROR: frames.SMALL})


class _ServerDied(Exception):
    """A fork server ended under its child."""


async def _heard(child: Child, talk: Awaitable[_Result]) -> _Result:
    """What a talk with a child gives; how the child ended, when it ended first."""
    try:
        return await talk
    except TimeoutError:
        raise errors.ParserFailed("the parser took too long", "PARSER_TIMEOUT") from None
    except frames.BrokenFrame:
        raise errors.ParserFailed("the parser broke the protocol") from None
    except (asyncio.IncompleteReadError, ConnectionError):
        try:
            async with asyncio.timeout(END_S):
                ended = await asyncio.shield(child.ended)
        except TimeoutError:
            raise errors.ParserFailed("the parser closed its channel") from None
        if ended.server_died:
            raise _ServerDied from None
        raise _death(ended) from None


def _death(ended: Ended) -> errors.DocumentError:
    match ended.signal:
        case signal.SIGXCPU:
            return errors.ParserFailed("the parser used up its processor time", "PARSER_TIMEOUT")
        case signal.SIGKILL:
            return errors.ParserFailed("the parser was killed, most likely for want of memory", "PARSER_OUT_OF_MEMORY")
        case 0:
            return errors.ParserFailed(f"the parser ended with {ended.code}")
        case number:
            return errors.ParserFailed(f"the parser ended by {signal.Signals(number).name}")


def _told(payload: bytes) -> errors.DocumentError:
    """The error that a child named, if it is one."""
    try:
        reason, message = json.loads(payload)
        return errors.of(reason, clean(message))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return errors.ParserFailed("the parser broke the protocol")


@contextlib.asynccontextmanager
async def _descriptor(content: bytes | Path, limits: Limits) -> AsyncIterator[int]:
    """The document as an open file, within its limits."""
    descriptor = await asyncio.to_thread(_opened, content)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise errors.Refused("not a file")
        if status.st_size == 0:
            raise errors.Refused("the file is empty", "EMPTY")
        if status.st_size > limits.max_bytes:
            raise errors.TooLarge(f"{status.st_size} bytes, {limits.max_bytes} at most")
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(content: bytes | Path) -> int:
    if isinstance(content, Path):
        return os.open(content, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    descriptor = os.memfd_create("document", os.MFD_CLOEXEC)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class _Kept:
    """A fork server that is started when it is needed, again when it died, and closed after ``idle_s`` without use."""

    def __init__(self, duty: str, idle_s: float | None) -> None:
        self._duty = duty
        self._idle_s = idle_s
        self._server: ForkServer | None = None
        self._starting = asyncio.Lock()
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.isolation = Isolation(network=False, processes=False, files=False)

    @contextlib.asynccontextmanager
    async def server(self) -> AsyncIterator[ForkServer]:
        self._users += 1
        if self._timer is not None:
            self._timer.cancel()
        try:
            yield await self._started()
        finally:
            self._users -= 1
            if self._users == 0 and self._idle_s is not None:
                self._timer = asyncio.get_running_loop().call_later(self._idle_s, self._expire)

    async def _started(self) -> ForkServer:
        async with self._starting:
            if self._server is None or not self._server.alive:
                await self._stop()
                self._server = await ForkServer(self._duty).__aenter__()
                self.isolation = self._server.isolation
            return self._server

    def _expire(self) -> None:
        task = asyncio.create_task(self._stop_unused())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _stop_unused(self) -> None:
        async with self._starting:
            if self._users == 0:
                await self._stop()

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.__aexit__(None, None, None)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        async with self._starting:
            await self._stop()
