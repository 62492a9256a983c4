"""One HTTP request as a call that the kit's middlewares know: headers, certificate, and what is sent back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from meshkit.errors import DeadlineExceeded, InvalidArgument
from meshkit.rpc.chain import Call
from meshkit.rpc.peer import uris

from gateway.http.server import CONNECTION, Connection

Headers = list[tuple[bytes, bytes]]
Facts = dict[str, str | int | float | bool]
METHOD_PREFIX = "/finmesh.openai.v1.OpenAI/"


class Context:
    """What middlewares ask of gRPC's context."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]], certificate: bytes) -> None:
        self._headers = headers
        self._certificate = certificate

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """Return the headers."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers]

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return who the certificate says it is."""
        return uris(self._certificate)


class Exchange:
    """A request and its response."""

    def __init__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]], slow_reader_s: float
    ) -> None:
        self.verb: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.connection: Connection = scope["state"][CONNECTION]
        self.has_begun = False
        self._receive, self._send, self._slow_reader_s = receive, send, slow_reader_s

    def call(self, method: str) -> Call:
        """Return it as the kit's."""
        return Call(METHOD_PREFIX + method, Context(self.headers, self.connection.certificate))

    def header(self, name: bytes) -> bytes:
        """Return a header, empty when absent. Raises InvalidArgument when it is repeated."""
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            raise InvalidArgument(f"header {name.decode('latin-1')} is repeated", reason="HEADER_REPEATED")
        return values[0] if values else b""

    async def body(self, limit_bytes: int, wait_s: float) -> bytes:
        """Return the whole body. Raises InvalidArgument when it is too large or late."""
        content, more = bytearray(), True
        try:
            async with asyncio.timeout(wait_s):
                while more:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        raise InvalidArgument("the caller went away", reason="BODY_LATE")
                    content += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(content) > limit_bytes:
                        raise InvalidArgument(f"the body is larger than {limit_bytes} bytes", reason="MESSAGE_TOO_LARGE")
        except TimeoutError:
            raise InvalidArgument("the body did not arrive in time", reason="BODY_LATE") from None
        return bytes(content)

    async def gone(self) -> None:
        """Return when the caller went away, or the response is over."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self.has_begun = True
        await self._sent({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, content: bytes, *, last: bool = False) -> None:
        """Send a piece. Raises DeadlineExceeded for a reader that does not take it: nobody can be told then, and the connection ends."""
        await self._sent({"type": "http.response.body", "body": content, "more_body": not last})

    async def answer(self, status: int, headers: Headers, content: bytes) -> None:
        """Send a whole response."""
        await self.begin(status, [*headers, (b"content-length", b"%d" % len(content))])
        await self.write(content, last=True)

    async def _sent(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._slow_reader_s):
                await self._send(message)
        except TimeoutError:
            self.connection.abort()
            raise DeadlineExceeded("the reader is too slow", reason="READER_TOO_SLOW") from None
