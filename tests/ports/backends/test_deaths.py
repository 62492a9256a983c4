"""Engines and services that die, hang or are stopped: typed errors, isolation, a new start. Triton lives through others' deaths."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_ISOLATED, WORKER_STATE_READY
from meshkit.errors import MeshError, Unavailable

from tests.engines import Engines, until

from .asking import answer, prompt, to_decode, to_prefill
from .conftest import Pair

pytestmark = pytest.mark.stack
HUNG_S = 60.0
"""Guards against waiting for ever. How soon a death is noticed is counted in tests/unit/backends, how soon all is well in a campaign."""


@asynccontextmanager
async def answering(pair: Pair) -> AsyncIterator[asyncio.Task[MeshError]]:
    """Answers run, one after the other, until one fails: with what."""

    async def ask() -> MeshError:
        while True:
            try:
                await answer(pair, to_decode(pair, prompt(60), 400))
            except MeshError as error:
                return error

    task = asyncio.create_task(ask())
    await asyncio.sleep(0.05)
    yield task
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.parametrize(
    ("target", "number", "reasons"),
    [
        ("stub", signal.SIGKILL, {"ENGINE_DEAD"}),
        ("server", signal.SIGKILL, {"ENGINE_LOST"}),
        ("stub", signal.SIGSTOP, {"ENGINE_HUNG", "ENGINE_DEAD"}),  # Triton finds it out by itself at times
        ("server", signal.SIGSTOP, {"ENGINE_HUNG"}),
    ],
)
async def test_an_engine_that_dies_or_hangs_is_isolated_killed_and_back(
    triton: Pair, engines: Engines, target: str, number: signal.Signals, reasons: set[str]
) -> None:
    server, before = engines.server("decode"), triton.decode.description.incarnation
    async with answering(triton) as task:
        os.kill(engines.stub("decode") if target == "stub" else server, number)
        async with asyncio.timeout(HUNG_S):
            error = await task
    assert isinstance(error, Unavailable)
    assert error.reason in reasons | {"ENGINE_SLOW"}
    await until(lambda: triton.decode.load.state == WORKER_STATE_ISOLATED or triton.decode.description.incarnation != before)
    await until(lambda: triton.decode.load.state == WORKER_STATE_READY and triton.decode.description.incarnation != before)
    assert engines.server("decode") != server
    _, tokens = await answer(triton, to_decode(triton, prompt(60)))
    assert len(tokens) == 12
    await triton.free()


async def test_a_prompt_that_is_read_when_its_engine_dies_fails_typed(triton: Pair, engines: Engines) -> None:
    before = triton.prefill.description.incarnation

    async def read() -> MeshError:
        while True:
            try:
                published = await triton.prefill.prefill(to_prefill(triton, prompt(400)), 10.0)
                del published
            except MeshError as error:
                if error.reason != "OVERLOADED":
                    return error

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    os.kill(engines.stub("prefill"), signal.SIGKILL)
    async with asyncio.timeout(HUNG_S):
        error = await task
    assert isinstance(error, Unavailable)
    assert error.reason in {"ENGINE_DEAD", "ENGINE_LOST", "ENGINE_SLOW"}
    await until(lambda: triton.prefill.load.state == WORKER_STATE_READY and triton.prefill.description.incarnation != before)
    await triton.free()


@pytest.mark.parametrize(("number", "times"), [(signal.SIGKILL, 3), (signal.SIGSTOP, 1)])
async def test_a_service_that_dies_or_is_stopped_holds_nothing_and_triton_lives(
    triton: Pair, engines: Engines, number: signal.Signals, times: int
) -> None:
    server = engines.server("decode")
    for _ in range(times):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.ports.backends.service", engines.urls["decode"], triton.model_digest.hex(),
            stdout=asyncio.subprocess.PIPE, cwd=engines.places.root, env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(HUNG_S):
                assert await process.stdout.readline() == b"running\n"
            assert await triton.decode.held()
            process.send_signal(number)
            await triton.free()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    assert engines.server("decode") == server
    _, tokens = await answer(triton, to_decode(triton, prompt(60)))
    assert len(tokens) == 12


async def test_a_service_that_ends_in_order_leaves_nothing(triton: Pair, engines: Engines) -> None:
    from backends.triton_engine import TritonEngine

    from .conftest import in_touch

    other = TritonEngine(engines.urls["decode"], "llm_decode", buffer_tokens=10_000)
    async with in_touch(other):
        events = other.decode(to_decode(triton, prompt(60), 400), 10.0)
        await anext(events)
    with pytest.raises(Unavailable):
        async with aclosing(events):
            async for _ in events:
                pass
    await triton.free()
