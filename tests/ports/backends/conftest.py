"""All kinds of engine behind the port, as one suite asks them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backends.accelerators import parse, read
from backends.feed import Feed
from backends.fronted import fronted, made
from backends.port import Backend
from backends.triton_engine import TritonEngine
from finmesh.inference.v1.worker_pb2 import WORKER_STATE_READY

from tests.engines import Engines, until
from tests.openai_server import MODEL, openai_server
from tests.scripted_engine import ScriptedEngine
from tests.stack import Stack
from tests.vllm.engines import Servers, decode_engine, idle, prefill_engine

BUFFER_TOKENS = 64
ROW = {
    "name": "foreign-0",
    "roles": ["generate"],
    "vendor": "acme",
    "device": "npu",
    "model": "tiny",
    "model_digest": "6d" * 32,
    "rows": 4,
    "max_len_tokens": 512,
    "zone": "local",
    "highest_grade": "L5",
}


@dataclass
class Pair:
    """``prefill`` and ``decode`` may be one engine. ``kind``: "scripted", "triton", "vllm", or a foreign one that hands nothing over."""

    kind: str
    prefill: Any
    decode: Any
    feed: Feed

    @property
    def hands_over(self) -> bool:
        return self.kind not in ("openai", "oip")

    @property
    def model_digest(self) -> bytes:
        return bytes(self.decode.description.model_digest)

    async def free(self) -> None:
        """Wait until nothing is held at either, for less than a reservation lives that nobody frees."""
        if self.kind == "vllm":
            await idle(self.prefill, self.decode)
        async with asyncio.timeout(15):
            while [*await self.prefill.held(), *await self.decode.held()]:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def in_touch(*backends: Backend, patience_s: float = 60.0) -> AsyncIterator[Feed]:
    """Engines that are watched, and ready."""
    feed = Feed(asyncio.Event())
    for backend in backends:
        backend.watch(feed)
    runs = [asyncio.create_task(backend.run()) for backend in backends]
    try:
        await until(lambda: all(backend.load.state == WORKER_STATE_READY for backend in backends), patience_s)
        yield feed
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)


@pytest.fixture
async def scripted() -> AsyncIterator[Pair]:
    engine = ScriptedEngine(pace_s=0.002, buffer_tokens=BUFFER_TOKENS)
    async with in_touch(engine) as feed:
        yield Pair("scripted", engine, engine, feed)


@pytest.fixture
async def triton(engines: Engines) -> AsyncIterator[Pair]:
    p = TritonEngine(engines.urls["prefill"], "llm_prefill", engines.pid_files["prefill"])
    d = TritonEngine(engines.urls["decode"], "llm_decode", engines.pid_files["decode"], buffer_tokens=BUFFER_TOKENS)
    async with in_touch(p, d) as feed:
        yield Pair("triton", p, d, feed)


@pytest.fixture(scope="session")
def engines(stack: Stack) -> Engines:
    """Two Tritons with the tiny model, for the whole run; whoever kills one waits until it is back."""
    return stack.engines


@pytest.fixture(scope="session")
def vllm_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Two of them, for the whole run; whoever kills one starts it again."""
    servers = Servers(tmp_path_factory.mktemp("vllm"))
    yield servers
    servers.close()


@pytest.fixture
async def vllm(vllm_servers: Servers) -> AsyncIterator[Pair]:
    p, d = prefill_engine(vllm_servers.prefill), decode_engine(vllm_servers.decode, buffer_tokens=BUFFER_TOKENS)
    async with in_touch(p, d, patience_s=180) as feed:  # a real one that was misled stands still for a minute
        yield Pair("vllm", p, d, feed)


@pytest.fixture(params=["scripted", "vllm", pytest.param("triton", marks=pytest.mark.stack)])
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def openai() -> AsyncIterator[Pair]:
    """A server of OpenAI's API, asked over real sockets."""
    fields = ROW | {"kind": "openai", "options": {"served_model": MODEL}}
    async with openai_server(pace_s=0.002) as server:
        row = parse(json.dumps({"version": "1", "accelerators": [fields | {"url": server.url}]}).encode()).rows[0]
        engine = made(row, "generate", "llm_decode", BUFFER_TOKENS)
        async with in_touch(engine) as feed:
            yield Pair("openai", engine, engine, feed)


@pytest.fixture
async def oip(stack: Stack, tmp_path: Path) -> AsyncIterator[Pair]:
    """A second Triton with a model that knows nothing of finmesh."""
    path = stack.foreign_triton.write(tmp_path / "accelerators.yaml")
    (engine,) = fronted(read(path).of("decode", "generate"), "llm_decode", None, BUFFER_TOKENS)
    async with in_touch(engine) as feed:
        yield Pair("oip", engine, engine, feed)


_STACK = pytest.mark.stack


@pytest.fixture(params=["scripted", "vllm", pytest.param("triton", marks=_STACK), "openai", pytest.param("oip", marks=_STACK)])
def any_pair(request: pytest.FixtureRequest) -> Pair:
    """Engines of every kind, foreign ones too: for what all of them do."""
    found: Pair = request.getfixturevalue(request.param)
    return found
