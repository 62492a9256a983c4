"""Waiting for foreign engines: several answers at once, and each no longer than it may be silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshkit.errors import MeshError, Unavailable


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks; what the first failed with is what all fail with."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* MeshError as errors:
        raise errors.exceptions[0] from None


@asynccontextmanager
async def in_time(limit_s: float) -> AsyncIterator[asyncio.Timeout]:
    """A time limit that may be moved. Raises Unavailable (ENGINE_SILENT)."""
    try:
        async with asyncio.timeout(limit_s) as limit:
            yield limit
    except TimeoutError:
        if not limit.expired():
            raise
        raise Unavailable("the engine told no token for too long", reason="ENGINE_SILENT") from None
