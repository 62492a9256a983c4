"""Real engines that go wrong, slow, silent or away, attended to: found, isolated, readmitted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from backends.feed import Feed
from backends.health.states import SLOW, WRONG, Change, State
from backends.health.ward import Ward
from backends.health.watched import Watched
from backends.pool import Pool
from backends.settings import HealthSettings
from backends.triton_engine import TritonEngine
from drills.faults_llm import shims
from finmesh.inference.v1 import decode_service_pb2, generation_pb2
from localmesh.engines import folder_of
from localmesh.launcher import ensure_identity
from localmesh.ports import Ports
from localmesh.supervisor import Mesh
from meshkit.errors import MeshError, Unavailable

from tests.engines import ROLES, Engines
from tests.stack import Stack

pytestmark = pytest.mark.stack
SECONDS = 60.0
SLOW_S = 0.6


@pytest.fixture(scope="module")
def engines(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Two Tritons of this module alone, which can go wrong or slow."""
    places = replace(stack.places, var=stack.places.var / "健康")
    places = replace(places, shims=shims.assemble(stack.places.shims, tmp_path_factory.mktemp("shims") / "models", spoils=False))
    ensure_identity(places)
    engines = Engines(places, Ports.free())
    mesh = stack._run(Mesh(engines.rows, places.var).__aenter__())
    yield engines
    stack._run(mesh.close())


class Bed:
    """The engines of both roles, attended to as their services do it."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        backends = [TritonEngine(engines.urls[role], f"llm_{role}", engines.pid_files[role]) for role in ROLES]
        self.changes: dict[str, list[Change]] = {role: [] for role in ROLES}
        self.ward = Ward(backends, [engines.places.llm_model], HealthSettings(), self._told)
        self.pool = Pool(self.ward.backends, Feed(asyncio.Event()))

    def _told(self, description: Any, change: Change) -> None:
        self.changes["prefill" if "prefill" in description.worker_id else "decode"].append(change)

    def watched(self, role: str) -> Watched:
        return self.ward.backends[ROLES.index(role)]

    def folder(self, role: str) -> Path:
        return folder_of(self.engines.places, f"triton-{role}")

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.02)

    async def until_state(self, role: str, state: State) -> None:
        await self.until(lambda: self.watched(role).health.state is state)

    async def answer(self, most: int = 8) -> list[int]:
        description = self.watched("decode").description
        assert description is not None
        request = decode_service_pb2.DecodeRequest(
            request_id="r",
            model_digest=description.model_digest,
            prompt_tokens=range(3, 103),
            namespace=bytes(range(32)),
            tenant_digest=bytes(32),
            grade=2,
            sampling=generation_pb2.Sampling(choices=1),
            bounds=generation_pb2.Bounds(max_output_tokens=most, ignore_end=True),
        )
        async with aclosing(self.watched("decode").decode(request, 20.0)) as events:
            return [token.token_id async for event in events if isinstance(event, decode_service_pb2.Tokens) for token in event.tokens]

    async def until_one_fails(self) -> MeshError:
        while True:
            try:
                await self.answer(300)
            except MeshError as error:
                return error


@asynccontextmanager
async def attended(engines: Engines) -> AsyncIterator[Bed]:
    made = Bed(engines)
    tasks = [asyncio.create_task(made.pool.run()), asyncio.create_task(made.ward.run())]
    try:
        for role in ROLES:
            await made.until_state(role, State.READY)
        yield made
    finally:
        for role in ROLES:
            shims.trouble(made.folder(role))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def bed(engines: Engines) -> AsyncIterator[Bed]:
    async with attended(engines) as made:
        yield made


@pytest.mark.parametrize("role", ROLES)
async def test_an_engine_whose_numbers_are_wrong_is_isolated_and_comes_back(bed: Bed, role: str) -> None:
    right = await bed.answer()
    failing = asyncio.create_task(bed.until_one_fails()) if role == "decode" else None
    shims.trouble(bed.folder(role), wrong=True)
    await bed.until_state(role, State.ISOLATED)
    if failing is not None:
        assert (await failing).reason == WRONG
        with pytest.raises(Unavailable):
            await bed.answer()
    shims.trouble(bed.folder(role))
    await bed.until_state(role, State.READY)
    assert await bed.answer() == right
    assert [(change.after, change.reason) for change in bed.changes[role]] == [
        (State.STARTING, ""),
        (State.READY, ""),
        (State.ISOLATED, WRONG),
        (State.PROBATION, WRONG),
        (State.READY, ""),
    ]


@pytest.mark.parametrize("role", ROLES)
async def test_an_engine_that_goes_slow_is_isolated_answers_right_and_comes_back(bed: Bed, role: str) -> None:
    right = await bed.answer()
    await bed.until(lambda: bed.watched(role).pace.is_known)
    shims.trouble(bed.folder(role), slow_s=SLOW_S)
    await bed.until_state(role, State.ISOLATED)
    assert bed.changes[role][-1].reason == SLOW
    assert await bed.answer() == right
    shims.trouble(bed.folder(role))
    await bed.until_state(role, State.READY)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_an_engine_that_dies_or_hangs_is_isolated_and_comes_back_over_probation(bed: Bed, number: signal.Signals) -> None:
    failing = asyncio.create_task(bed.until_one_fails())
    await bed.until(lambda: bed.watched("decode").calls.running)
    os.kill(bed.engines.server("decode"), number)
    assert isinstance(await failing, Unavailable)
    await bed.until_state("decode", State.ISOLATED)
    await bed.until_state("decode", State.READY)
    states = [change.after for change in bed.changes["decode"]]
    assert states[-3:] == [State.ISOLATED, State.PROBATION, State.READY]
    assert len(await bed.answer()) == 8
