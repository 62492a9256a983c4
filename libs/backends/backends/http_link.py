"""HTTP with one engine of a row: TLS by the row's files, the token of now, no redirects, nothing from the environment, everything bounded.

Surprising: what a server says in an error is not passed on, since it may repeat the prompt; its status alone is told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from meshkit.config import TlsSettings
from meshkit.errors import FailedPrecondition, InvalidDocument, MeshError, Overloaded, Unavailable
from meshkit.reload import Reloaded
from meshkit.rpc.tls import Material, checked, client_context, watched
from meshkit.strict_json import parse_json

from backends.accelerators import ForeignRow

ANSWER_BYTES = 1 << 20
METRICS_BYTES = 8 << 20
_LONGEST_RETRY_S = 30.0
_PIECE_BYTES = 64 * 1024
_IDLE_S = 20.0


class HttpLink:
    """``connect_s``: until it is connected; what else takes how long the caller says."""

    def __init__(self, row: ForeignRow, connect_s: float) -> None:
        self._row, self._connect_s = row, connect_s
        self._files: Reloaded[Material, Material] | None = None
        if row.is_protected:
            tls = TlsSettings(certificate=row.certificate_file, key=row.key_file, authority=row.authority_file)
            self._files = watched(tls, checked)
        self._client = self._made()
        self._old: list[httpx2.AsyncClient] = []

    def _made(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._row.url.rstrip("/"),
            verify=False if self._files is None else client_context(self._files.value),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=self._connect_s),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=_IDLE_S),
            headers={"accept-encoding": "identity", "user-agent": "finmesh"},
        )

    async def refresh(self) -> None:
        """Take newer TLS files, if there are any: for connections that are made from now on."""
        if self._files is not None and await asyncio.to_thread(self._files.refresh):
            self._old.append(self._client)
            self._client = self._made()

    async def aclose(self) -> None:
        """Close all connections."""
        for client in (self._client, *self._old):
            await client.aclose()

    async def get(self, path: str, limit_bytes: int = ANSWER_BYTES) -> bytes:
        """Return a body. Raises Unavailable, and what its status means."""
        async with self._sent("GET", path, None) as response:
            return await _body(response, limit_bytes)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object that is answered."""
        async with self._sent("POST", path, body) as response:
            return parsed(await _body(response, ANSWER_BYTES))

    async def dated(self, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return the JSON object that is answered, and when its head was sent, as it says; "" when it does not."""
        async with self._sent("POST", path, body) as response:
            return parsed(await _body(response, ANSWER_BYTES)), response.headers.get("date", "")

    @asynccontextmanager
    async def events(self, path: str, body: Mapping[str, Any], line_bytes: int) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """Ask for server-sent events; yields the iterator of their data. Leaving it ends the connection, and with it the work there."""
        async with self._sent("POST", path, body) as response:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "text/event-stream":
                raise Unavailable("the engine answered with something else than events", reason="ENGINE_PROTOCOL")
            pieces = _data(response, line_bytes)
            try:
                yield pieces
            finally:
                await pieces.aclose()

    @asynccontextmanager
    async def _sent(self, method: str, path: str, body: Mapping[str, Any] | None) -> AsyncIterator[httpx2.Response]:
        headers = {"authorization": f"Bearer {token}"} if (token := await asyncio.to_thread(self._row.token)) else {}
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        try:
            async with self._client.stream(method, path, headers=headers, content=content) as response:
                if response.status_code != 200:
                    raise _refused(response)
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise Unavailable("the engine packed its answer unasked", reason="ENGINE_PROTOCOL")
                yield response
        except httpx2.ConnectError as error:
            raise Unavailable("the engine cannot be reached", reason="ENGINE_LOST") from error
        except httpx2.TimeoutException as error:
            raise Unavailable("the engine does not answer", reason="ENGINE_SLOW") from error
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise Unavailable(f"the connection to the engine broke ({type(error).__name__})", reason="ENGINE_LOST") from error


async def _body(response: httpx2.Response, limit_bytes: int) -> bytes:
    content = bytearray()
    async for piece in response.aiter_raw(_PIECE_BYTES):
        content += piece
        if len(content) > limit_bytes:
            raise Unavailable(f"the engine's answer is longer than {limit_bytes} bytes", reason="ENGINE_PROTOCOL")
    return bytes(content)


async def _data(response: httpx2.Response, line_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield the data of each event; lines end with LF or CRLF, comments and other fields are passed by."""
    rest = b""
    data: list[bytes] = []
    async for piece in response.aiter_raw():
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in (each.removesuffix(b"\r") for each in lines):
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
                if sum(map(len, data)) > line_bytes:
                    raise Unavailable("an event of the engine is too long", reason="ENGINE_PROTOCOL")
            elif not line and data:
                yield b"\n".join(data)
                data = []
        if len(rest) > line_bytes:
            raise Unavailable(f"a line of the engine is longer than {line_bytes} bytes", reason="ENGINE_PROTOCOL")


def parsed(content: bytes) -> dict[str, Any]:
    """Return a JSON object of the engine. Raises Unavailable (ENGINE_PROTOCOL)."""
    try:
        document = parse_json(content)
    except InvalidDocument:
        document = None
    if not isinstance(document, dict):
        raise Unavailable("the engine said no JSON object", reason="ENGINE_PROTOCOL")
    return document


def _refused(response: httpx2.Response) -> MeshError:
    """What a status means. A request that is refused may be one that another engine takes."""
    status = response.status_code
    if status in (429, 503):
        return Overloaded("the engine is busy", retry_after_s=_retry_after_s(response.headers.get("retry-after", "")))
    if status in (400, 413, 422):
        return FailedPrecondition(f"the engine refused the request with status {status}", reason="ENGINE_LACKS_REQUEST_FORM")
    if status in (401, 403):
        return Unavailable("the engine does not let this process in", reason="ENGINE_DENIES")
    if status == 404:
        return Unavailable("the engine has no such model or path", reason="ENGINE_MODEL_GONE")
    return Unavailable(f"the engine answered with status {status}", reason="ENGINE_REDIRECTS" if 300 <= status < 400 else "ENGINE_FAILED")


def _retry_after_s(text: str) -> float:
    return min(float(text), _LONGEST_RETRY_S) if text.isascii() and text.isdigit() and len(text) < 6 else 1.0
