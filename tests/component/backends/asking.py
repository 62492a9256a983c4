"""What the tests of foreign engines ask, of whatever kind they are."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from backends.port import Backend
from finmesh.inference.v1.decode_service_pb2 import DecodeRequest
from finmesh.inference.v1.generation_pb2 import Bounds, Sampling

DIGEST = bytes(range(32))
PROMPT = list(range(40, 60))


async def until(true: Any) -> None:
    """Wait until something holds; raise when it does not in time."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def request(most: int = 6, **changes: Any) -> DecodeRequest:
    """Return a request for one greedy answer to `PROMPT`."""
    fields = {
        "request_id": "r-1",
        "model_digest": DIGEST,
        "prompt_tokens": PROMPT,
        "grade": 2,
        "sampling": Sampling(choices=1),
        "bounds": Bounds(max_output_tokens=most),
    } | changes
    return DecodeRequest(**fields)


async def events_of(engine: Backend, asked: DecodeRequest | None = None) -> list[Any]:
    """Return all that an engine tells of an answer."""
    async with aclosing(engine.decode(asked or request(), 10.0)) as events:
        return [event async for event in events]
