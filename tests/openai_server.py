"""A small server of OpenAI's API that computes nothing: its tokens are `tests.scripted_engine`'s; it can lie, stall, drip and break off.

Raw sockets, so that it can say what no library would. ``dialect``: who it says it is, and whose fields it takes; "text" knows no token ids.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.scripted_engine import token_of

Answering = Callable[["Call"], Awaitable[None]]
MODEL = "served-model"


@dataclass
class Call:
    """One request, and the connection on which to answer it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    writer: asyncio.StreamWriter

    async def head(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        lines = [
            f"HTTP/1.1 {status} X",
            f"content-type: {kind}",
            "connection: close",
            *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
        ]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def raw(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def event(self, document: object) -> None:
        await self.raw(
            b"data: " + (document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()) + b"\n\n"
        )

    async def json(self, document: object, status: int = 200, **headers: str) -> None:
        await self.head(status, "application/json", **headers)
        await self.raw(json.dumps(document).encode())


@dataclass
class OpenAiServer:
    """``answering``: what it does with a completion in place of the honest thing; ``pace_s``: between two tokens."""

    dialect: str = "vllm"
    pace_s: float = 0.0
    model: str = MODEL
    metrics: str = ""
    token: str = ""
    answering: Answering | None = None
    tokens: Callable[[list[int], int], int] = token_of
    asked: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    broken_off: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None
    serials: set[str] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=1 << 24, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Die: every connection is cut."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._connections):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        if shown := writer.get_extra_info("peercert"):
            self.serials.add(shown["serialNumber"])
        try:
            call = await self._read(reader, writer)
            serving = asyncio.ensure_future(self._serve(call))
            gone = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                self.broken_off += 1
            for each in (serving, gone):
                each.cancel()
            await asyncio.gather(serving, gone, return_exceptions=True)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        self.paths.append(path)
        return Call(method, path, headers, json.loads(content) if content else None, writer)

    async def _serve(self, call: Call) -> None:
        if self.token and call.headers.get("authorization") != f"Bearer {self.token}":
            await call.json({"error": {"message": "no"}}, 401)
        elif call.path == "/v1/models":
            await call.json({"object": "list", "data": [{"id": self.model, "object": "model", "owned_by": self.dialect}]})
        elif call.path == "/metrics" and self.metrics:
            await call.head(200, "text/plain")
            await call.raw(self.metrics.encode())
        elif call.path == "/v1/completions":
            await self._complete(call)
        else:
            await call.json({"error": {"message": "not found"}}, 404)

    async def _complete(self, call: Call) -> None:
        self.asked.append(call.body)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.dialect == "text" and not isinstance(call.body["prompt"], str):
                await call.json({"error": {"message": "prompt: must be a text"}}, 422)
            elif not call.body.get("stream"):
                await self._at_once(call)
            else:
                await (self.answering or self.honest)(call)
        finally:
            self.running -= 1

    async def _at_once(self, call: Call) -> None:
        prompt = call.body["prompt"]
        choice: dict[str, Any] = {"index": 0, "text": "x", "finish_reason": "length"}
        if call.body.get("return_token_ids") and self.dialect == "vllm":
            choice["token_ids"] = [7]
        usage = {"prompt_tokens": len(prompt), "completion_tokens": 1}
        await call.json({"model": self.model, "choices": [choice], "usage": usage})

    async def honest(self, call: Call) -> None:
        await call.head()
        await self.write(call)
        await call.event(b"[DONE]")

    async def write(self, call: Call) -> None:
        """Everything but the end."""
        body = call.body
        prompt = body["prompt"] if isinstance(body["prompt"], list) else [ord(each) for each in body["prompt"]]
        for index in range(body["max_tokens"]):
            await asyncio.sleep(self.pace_s)
            await call.event(self.chunk(body, [self.tokens(prompt, index)]))
        await call.event(self.chunk(body, [], "length"))
        await call.event(self.usage(len(prompt), body["max_tokens"]))

    def usage(self, prompt_tokens: object, output_tokens: object) -> dict[str, Any]:
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": output_tokens, "prompt_tokens_details": {"cached_tokens": 2}}
        return {"model": self.model, "choices": [], "usage": usage}

    def chunk(self, body: Any, ids: list[int], finish: str | None = None) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "text": "".join(chr(each + 0x4E00) for each in ids), "finish_reason": finish}
        if body.get("return_token_ids") and self.dialect == "vllm":
            choice["token_ids"] = ids
        if "logprobs" in body and ids:
            top = {f"token_id:{ids[0]}": -0.25, "token_id:3": -1.5}
            choice["logprobs"] = {
                "tokens": [f"token_id:{ids[0]}"],
                "token_logprobs": [-0.25],
                "top_logprobs": [top] if body["logprobs"] else None,
            }
        return {"model": self.model, "choices": [choice]}


@asynccontextmanager
async def openai_server(**fields: Any) -> AsyncIterator[OpenAiServer]:
    """One that listens."""
    server = OpenAiServer(**fields)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
