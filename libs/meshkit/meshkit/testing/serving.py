"""A MeshServer or a whole service for the length of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from meshkit.rpc.server import MeshServer
from meshkit.service import Service


@asynccontextmanager
async def serving(server: MeshServer) -> AsyncIterator[MeshServer]:
    """Serve while the block runs; health says SERVING."""
    await server.start()
    await server.set_health("", serving=True)
    try:
        yield server
    finally:
        await server.stop(0)


@asynccontextmanager
async def running(service: Service, serve: Callable[[Service], Awaitable[None]], timeout_s: float = 20.0) -> AsyncIterator[Service]:
    """Run ``serve`` (which ends in ``service.run``) beside the block, which starts when the service serves. Its failure is the block's."""
    async with service:
        work = asyncio.ensure_future(serve(service))
        started = asyncio.ensure_future(service.started.wait())
        await asyncio.wait({work, started}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if work.done():
            work.result()
        try:
            yield service
        finally:
            service.stop()
            await work
