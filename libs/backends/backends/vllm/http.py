"""Answers of vLLM over HTTP: whole ones, and streams of events. Ending one hangs up, which is how vLLM is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
from meshkit.errors import MeshError, Unavailable

from backends.refusals import engine_lost
from backends.vllm.answers import Asked, error_of, object_of, protocol

CONNECT_S = 2.0
_PATH = "/v1/completions"
_LONGEST_LINE = 16 << 20  # the first one repeats the prompt
_FOREVER = httpx2.Timeout(None, connect=CONNECT_S)


async def page(client: httpx2.AsyncClient, path: str) -> str:
    """Return a page. Raises Unavailable (ENGINE_LOST, ENGINE_HUNG, ENGINE_REFUSED_US, PROTOCOL)."""
    try:
        response = await client.get(path)
    except httpx2.TimeoutException:
        raise engine_lost("the engine does not answer", "ENGINE_HUNG") from None
    except httpx2.HTTPError:
        raise engine_lost("the engine cannot be reached") from None
    if response.status_code in (401, 403):
        raise Unavailable("the engine does not take our token", reason="ENGINE_REFUSED_US")
    if response.status_code != 200:
        raise protocol(f"answers {path} with {response.status_code}")
    return response.text


async def whole(client: httpx2.AsyncClient, body: dict[str, Any], asked: Asked, within_s: float) -> httpx2.Response:
    """Return an answer of status 200. Raises TimeoutError, Unavailable (ENGINE_LOST), and what the engine refuses."""
    try:
        async with asyncio.timeout(within_s):
            response = await client.post(_PATH, json=body, timeout=_FOREVER)
    except httpx2.HTTPError:
        raise engine_lost("the engine went away") from None
    if response.status_code != 200:
        raise error_of(response.status_code, _object(response.content), asked)
    return response


async def events(
    client: httpx2.AsyncClient, body: dict[str, Any], asked: Asked, first_s: float, between_s: float
) -> AsyncGenerator[str, None]:
    """Yield the data of a stream's events until it says that it is done.

    Raises TimeoutError when nothing comes in time, Unavailable (ENGINE_LOST, PROTOCOL), and what the engine refuses.
    """
    response: httpx2.Response | None = None
    try:
        async with asyncio.timeout(first_s):
            response = await client.send(client.build_request("POST", _PATH, json=body, timeout=_FOREVER), stream=True)
            if response.status_code != 200:
                raise error_of(response.status_code, _object(await response.aread()), asked)
            lines = response.aiter_lines()
            data = await _next(lines)
        while data is not None and data != "[DONE]":
            yield data
            async with asyncio.timeout(between_s):
                data = await _next(lines)
        if data is None:
            raise engine_lost("the engine broke off")
    except httpx2.HTTPError:
        raise engine_lost("the engine went away") from None
    finally:
        if response is not None:
            await response.aclose()


async def _next(lines: Any) -> str | None:
    async for line in lines:
        if len(line) > _LONGEST_LINE:
            raise protocol("tells too much at once")
        if line.startswith("data:"):
            return str(line.removeprefix("data:").strip())
    return None


def _object(content: bytes) -> dict[str, Any]:
    try:
        return object_of(content)
    except MeshError:
        return {}
