"""A reader that stops reading ends its own stream and holds nobody else up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio
from meshkit.rpc.server import Limits, MeshServer
from meshkit.testing.serving import serving

STREAM = "/finmesh.test.v1.Stream/Pour"
PIECE = bytes(50_000)
MAX_MESSAGES = 10_000


class Pouring:
    """Sends pieces without end, as far as they are taken."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def pour(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        """Send."""
        try:
            for _ in range(MAX_MESSAGES):
                yield PIECE
                self.sent += 1
        finally:
            self.ended.set()


@asynccontextmanager
async def called(pouring: Pouring, slow_reader_s: float) -> AsyncIterator[Any]:
    """A call of its stream, of which the first piece was read."""
    server = MeshServer("127.0.0.1:0", limits=Limits(slow_reader_s=slow_reader_s))
    handler = grpc.unary_stream_rpc_method_handler(pouring.pour)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("finmesh.test.v1.Stream", {"Pour": handler}),))
    async with serving(server), aio.insecure_channel(server.address) as channel:
        call = channel.unary_stream(STREAM)(b"")
        assert await call.read() == PIECE
        yield call


async def test_a_reader_that_stops_ends_its_stream() -> None:
    pouring = Pouring()
    async with called(pouring, 0.2) as call:
        await pouring.ended.wait()
        assert pouring.sent < MAX_MESSAGES, "what nobody reads is not made"
        code = None
        try:
            while await call.read() is not aio.EOF:  # it reads again, too late
                pass
        except aio.AioRpcError as error:
            code = error.code()
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_reader_that_reads_slowly_and_goes_on_gets_everything() -> None:
    pouring = Pouring()
    async with called(pouring, 5) as call:
        for _ in range(400):
            assert await call.read() == PIECE
            await asyncio.sleep(0)
        call.cancel()
        await pouring.ended.wait()
