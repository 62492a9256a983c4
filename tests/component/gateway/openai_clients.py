"""The official client and raw sockets at the HTTP door, with the certificate of a workload."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import openai

from tests.component.gateway.conftest import Door, tls

USER = ["assistant-user"]
TURN: Any = [{"role": "user", "content": "请用一句话解释什么是洗钱"}]


def context(door: Door, identity: str = "client") -> ssl.SSLContext:
    """What a workload connects with."""
    files = tls(door.certs, identity)
    made = ssl.create_default_context(cafile=str(files.authority))
    made.load_cert_chain(str(files.certificate), str(files.key))
    return made


def key(door: Door, **claims: Any) -> str:
    """A token, as clients call it."""
    ((_, value),) = door.token(**({"roles": USER} | claims))
    return value.removeprefix("Bearer ")


@asynccontextmanager
async def client(door: Door, identity: str = "client", claims: Any = None, **settings: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client. ``sent`` of its HTTP client counts the requests that it made."""
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        sent.append(request)

    http = openai.DefaultAsyncHttpxClient(verify=context(door, identity), event_hooks={"request": [note]}, trust_env=False)
    async with openai.AsyncOpenAI(
        base_url=f"https://localhost:{door.service.http_port}/v1", api_key=key(door, **(claims or {})), http_client=http, **settings
    ) as made:
        made.sent = sent  # type: ignore[attr-defined]
        yield made


@dataclass
class Raw:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response whose length is told."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def error(self) -> tuple[int, Any]:
        """Read one error."""
        status, _, body = await self.answer()
        return status, json.loads(body)["error"]


@asynccontextmanager
async def raw(door: Door, identity: str = "client") -> AsyncIterator[Raw]:
    """A connection to write bytes to."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", door.service.http_port, ssl=context(door, identity), server_hostname="localhost"
    )
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


def request(door: Door, body: Any, path: str = "/v1/chat/completions", **headers: str) -> bytes:
    """The bytes of a request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1", "host: localhost", f"authorization: Bearer {key(door)}", "content-type: application/json",
        f"content-length: {len(content)}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode() + content
