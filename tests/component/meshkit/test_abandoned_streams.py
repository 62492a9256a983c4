"""A stream that nobody reads any more ends at once, upstream too; also when a traceback keeps hold of the iterator's frame."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest
from grpc import aio
from meshkit.errors import DeadlineExceeded
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from meshkit.testing.capture import captured_logs, captured_spans
from meshkit.testing.serving import serving

SERVICE = "finmesh.test.v1.Numbers"
COUNT = f"/{SERVICE}/Count"
NOT_BY_THE_COLLECTOR = pytest.mark.usefixtures("no_garbage_collection")


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class Numbers:
    """Answers 1, 2, 3, ... for ever: at once (``fast``), or the first two and then nothing. Knows when it was made to stop."""

    def __init__(self, upstream: MeshChannel | None = None) -> None:
        self.begun, self.stopped = asyncio.Event(), asyncio.Event()
        self._upstream = upstream

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self.begun.set()
        try:
            if self._upstream is not None:
                async for number in self._upstream.unary_stream(COUNT)(request):
                    yield number
            number = 0
            while request == b"fast" or number < 2:
                number += 1
                yield str(number).encode() + bytes(10_000 if request == b"fast" else 0)
            await asyncio.Event().wait()
        finally:
            self.stopped.set()

    def serve(self, **settings: Any) -> MeshServer:
        server = MeshServer("127.0.0.1:0", **settings)
        handler = grpc.unary_stream_rpc_method_handler(self.count)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Count": handler}),))
        return server


async def stopped(*numbers: Numbers) -> None:
    async with asyncio.timeout(10):  # less than any deadline of the calls
        for each in numbers:
            await each.stopped.wait()


async def two(responses: Any) -> None:
    """Read two and drop the iterator."""
    seen = 0
    async for _ in responses:
        seen += 1
        if seen == 2:
            return


REQUESTS = pytest.mark.parametrize("request_", [b"slow", b"fast"])


@REQUESTS
@NOT_BY_THE_COLLECTOR
async def test_an_iterator_that_is_dropped(request_: bytes) -> None:
    numbers = Numbers()
    async with serving(numbers.serve(deadlines=Deadlines(60.0))) as server, MeshChannel(server.address, timeout_s=60) as channel:
        with captured_spans() as spans:
            await two(channel.unary_stream(COUNT)(request_))
            await stopped(numbers)
    (span,) = [span for span in spans if span.kind.name == "CLIENT"]
    assert span.attributes["rpc.response.status_code"] == "CANCELLED"


@REQUESTS
async def test_an_iterator_that_is_closed_while_somebody_holds_it(request_: bytes) -> None:
    numbers = Numbers()
    async with serving(numbers.serve(deadlines=Deadlines(60.0))) as server, MeshChannel(server.address, timeout_s=60) as channel:
        async with aclosing(channel.unary_stream(COUNT)(request_)) as responses:
            await two(responses)
        await stopped(numbers)
        with pytest.raises(StopAsyncIteration):
            await anext(responses)


async def test_a_reader_that_is_cancelled_and_one_that_fails() -> None:
    for how in ("cancelled", "fails"):
        numbers = Numbers()
        async with serving(numbers.serve(deadlines=Deadlines(60.0))) as server, MeshChannel(server.address, timeout_s=60) as channel:

            async def read(channel: MeshChannel = channel, how: str = how) -> None:
                async for _ in channel.unary_stream(COUNT)(b"slow"):
                    if how == "fails":
                        raise LookupError("not this one")

            reader = asyncio.create_task(read())
            await numbers.begun.wait()
            if how == "cancelled":
                reader.cancel()
            await asyncio.wait({reader})
            await stopped(numbers)


async def test_an_iterator_that_was_never_begun_makes_no_call() -> None:
    numbers = Numbers()
    async with serving(numbers.serve()) as server, MeshChannel(server.address) as channel:
        await channel.unary_stream(COUNT)(b"slow").aclose()
    assert not numbers.begun.is_set()


@REQUESTS
@NOT_BY_THE_COLLECTOR
async def test_a_caller_that_goes_away_ends_it_at_the_owner_too(request_: bytes) -> None:
    owner = Numbers()
    async with (
        serving(owner.serve(deadlines=Deadlines(60.0))) as behind,
        MeshChannel(behind.address, timeout_s=60) as upstream,
    ):
        middle = Numbers(upstream)
        async with serving(middle.serve(deadlines=Deadlines(60.0))) as server:
            with captured_logs() as logs:
                channel = aio.insecure_channel(server.address)
                call = channel.unary_stream(COUNT)(request_)
                assert (await call.read())[:1] == b"1"
                await owner.begun.wait()
                await channel.close()  # without a word, as a process that dies
                await stopped(middle, owner)
                await server.stop(0)
                await behind.stop(0)
    told = [line["rpc.response.status_code"] for line in logs.lines if line["message"] == "rpc"]
    assert told == ["CANCELLED", "CANCELLED"]  # both ended as calls do, and not in some other task's context


async def test_a_stream_that_runs_into_its_deadline() -> None:
    numbers = Numbers()
    async with serving(numbers.serve()) as server, MeshChannel(server.address, timeout_s=0.3) as channel:
        with pytest.raises(DeadlineExceeded):
            async for _ in channel.unary_stream(COUNT)(b"slow"):
                pass
        await stopped(numbers)
