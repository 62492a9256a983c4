"""An engine that is attended to, by the real clock: what is found, what becomes of what runs there, and how it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from backends.feed import Feed
from backends.health import attendant, learned, pace, states
from backends.health.attendant import Attendant
from backends.health.known_answers import KnownAnswers
from backends.health.pace import Bounds
from backends.health.states import HUNG, SLOW, WRONG, Change, State, Wait
from backends.health.watched import Watched
from backends.pool import Pool
from finmesh.inference.v1 import decode_service_pb2, generation_pb2, prefill_service_pb2, worker_pb2
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import Overloaded, Unavailable

from .conftest import SickEngine, known

SECONDS = 20.0
BOUNDS = Bounds()


@dataclass
class Bed:
    """``changes``: as they are told."""

    engine: SickEngine
    watched: Watched
    pool: Pool
    changes: list[Change]

    def request(self, most: int = 4, **more: Any) -> decode_service_pb2.DecodeRequest:
        bounds = generation_pb2.Bounds(max_output_tokens=most)
        return decode_service_pb2.DecodeRequest(
            **{"model_digest": self.engine.model_digest, "prompt_tokens": [1, 2, 3], "bounds": bounds, **more}
        )

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.01)

    async def until_state(self, state: State) -> None:
        await self.until(lambda: self.watched.health.state is state)

    async def answer(self, most: int = 4) -> list[int]:
        async with aclosing(self.watched.decode(self.request(most), 10.0)) as events:
            return [token.token_id async for event in events if isinstance(event, decode_service_pb2.Tokens) for token in event.tokens]


@asynccontextmanager
async def bed(
    answers: KnownAnswers | None, engine: SickEngine | None = None, bounds: Bounds = BOUNDS, probe_s: float = 0.1
) -> AsyncIterator[Bed]:
    engine, changes = engine or SickEngine(pace_s=0.001), []
    watched = Watched(engine, told=lambda _, change: changes.append(change), bounds=bounds)
    attending = Attendant(watched, {answers.model_digest: answers} if answers else {}, probe_s, list, lambda: 1.0)
    pool = Pool([watched], Feed(asyncio.Event()))
    tasks = [asyncio.create_task(pool.run()), asyncio.create_task(attending.run())]
    made = Bed(engine, watched, pool, changes)
    try:
        await made.until_state(State.READY)
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of tests, in the same proportions."""
    monkeypatch.setattr(attendant, "SOON_S", 0.05)
    monkeypatch.setattr(attendant, "LOOK_S", 0.02)
    monkeypatch.setattr(pace, "RECENT_S", 1.0)
    monkeypatch.setattr(pace, "SPAN_S", 0.2)
    monkeypatch.setattr(states, "WAITS", {SLOW: Wait(0.1, 1.0), WRONG: Wait(0.1, 1.0)})


def states_of(changes: list[Change]) -> list[State]:
    return [change.after for change in changes]


async def test_one_that_answers_wrong_is_isolated_what_runs_there_ends_and_it_comes_back_when_it_is_right() -> None:
    async with bed(known()) as made:
        assert made.pool.chosen("", made.engine.model_digest) is made.watched
        made.engine.pace_s = 0.02
        running = asyncio.create_task(made.answer(1_000))
        await made.until(lambda: made.watched.calls.running)
        made.engine.error = 1
        await made.until_state(State.ISOLATED)
        assert made.watched.load.state == worker_pb2.WORKER_STATE_ISOLATED
        assert (made.watched.load.reason, made.changes[-1].reason) == (WRONG, WRONG)
        with pytest.raises(Unavailable) as ended:
            await running
        assert ended.value.reason == WRONG
        with pytest.raises(Unavailable) as refused:
            await made.answer()
        assert refused.value.reason == WRONG
        with pytest.raises(Unavailable):
            made.pool.chosen("", made.engine.model_digest)
        asked = len(made.engine.asked)
        await made.until(lambda: len(made.engine.asked) > asked + 1)  # it is tried again, and wrong again
        assert made.watched.health.state is State.ISOLATED
        made.engine.error = 0
        await made.until_state(State.READY)
    assert states_of(made.changes) == [State.STARTING, State.READY, State.ISOLATED, State.PROBATION, State.READY]


async def test_one_that_is_wrong_from_the_beginning_is_never_ready() -> None:
    engine = SickEngine(pace_s=0.001, error=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0), bed(known(), engine):
            pass
    assert engine.asked


async def test_a_prefill_engine_that_is_wrong_has_its_hand_offs_ended() -> None:
    engine = SickEngine(pace_s=0.001)
    role = worker_pb2.WORKER_ROLE_PREFILL
    kind = type(engine)
    prefills = property(lambda self: _with_role(kind.__mro__[1].description.fget(self), role))  # type: ignore[attr-defined]
    engine.__class__ = type("SickPrefill", (kind,), {"description": prefills})
    async with bed(known(), engine) as made:
        assert all(isinstance(each, prefill_service_pb2.PrefillRequest) for each in engine.asked)
        request = prefill_service_pb2.PrefillRequest(
            handoff_id=uuid7(), epoch=1, model_digest=engine.model_digest, prompt_tokens=[1, 2, 3], bounds=generation_pb2.Bounds()
        )
        await made.watched.prefill(request, 5.0)
        assert (request.handoff_id, 1) in engine.handoffs
        engine.error = 1
        await made.until_state(State.ISOLATED)
        await made.until(lambda: (request.handoff_id, 1) not in engine.handoffs)
        await made.until(lambda: not engine.handoffs)  # nor does a question leave one behind


def _with_role(description: worker_pb2.WorkerDescription, role: Any) -> worker_pb2.WorkerDescription:
    description.role = role
    return description


async def test_one_that_stands_still_is_hung_and_what_runs_there_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.health.silence.SILENT_S", 0.3)
    monkeypatch.setattr(attendant, "SUSPECT_TIMEOUT_S", 0.3)
    async with bed(known()) as made:
        made.engine.pace_s = 0.01
        running = asyncio.create_task(made.answer(1_000))
        await made.until(lambda: made.watched.calls.running)
        made.engine.gate.clear()
        await made.until_state(State.ISOLATED)
        assert made.changes[-1].reason == HUNG
        with pytest.raises(Unavailable) as ended:
            await running
        assert ended.value.reason == HUNG
        made.engine.gate.set()
        await made.until_state(State.READY)


async def test_a_silent_one_that_answers_what_is_known_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long prompt is read in silence."""
    monkeypatch.setattr("backends.health.silence.SILENT_S", 0.2)
    async with bed(known()) as made:
        made.engine.pace_s = 0.5
        made.engine.asked.clear()
        running = asyncio.create_task(made.answer(3))
        await made.until(lambda: made.watched.calls.running)
        made.engine.pace_s = 0.001
        assert len(await running) == 3
    assert states_of(made.changes) == [State.STARTING, State.READY]


async def test_one_that_goes_slow_is_isolated_and_still_asked_when_there_is_no_other() -> None:
    bounds = Bounds(factor=5.0, floor_s=0.02)
    async with bed(known(), bounds=bounds) as made:
        made.watched.pace.add(0.001, 1, time.monotonic(), time.monotonic())
        await made.until(lambda: made.watched.pace.is_known)
        made.engine.pace_s = 0.1
        await made.until_state(State.ISOLATED)
        assert made.changes[-1].reason == SLOW
        assert "times its usual" in made.changes[-1].detail
        assert len(await made.answer(2)) == 2
        assert made.pool.chosen("", made.engine.model_digest) is made.watched
        made.engine.pace_s = 0.001
        await made.until_state(State.READY)


async def test_one_that_dies_is_isolated_by_its_adapters_word_and_comes_back_over_probation() -> None:
    async with bed(known()) as made:
        made.engine.fail("ENGINE_DEAD")
        await made.until_state(State.ISOLATED)
        assert made.watched.load.reason == "ENGINE_DEAD"
        made.engine.state, made.engine.reason = worker_pb2.WORKER_STATE_READY, ""
        await made.until_state(State.READY)
        assert made.watched.load.reason == ""
    assert states_of(made.changes) == [State.STARTING, State.READY, State.ISOLATED, State.PROBATION, State.READY]


async def test_on_probation_one_request_is_taken_reservations_included() -> None:
    async with bed(None) as made:
        made.engine.fail("ENGINE_DEAD")
        await made.until_state(State.ISOLATED)
        made.engine.state, made.engine.reason = worker_pb2.WORKER_STATE_READY, ""
        await made.until_state(State.PROBATION)
        reserve = decode_service_pb2.ReserveRequest(model_digest=made.engine.model_digest, prompt_tokens=3, ttl_ms=60_000)
        await made.watched.reserve("r", reserve)
        with pytest.raises(Overloaded):
            await made.watched.reserve("s", reserve)
        with pytest.raises(Overloaded):
            await made.answer()
        async with aclosing(made.watched.decode(made.request(reservation_id="r"), 5.0)) as events:
            assert [event async for event in events]
        for _ in range(states.GOOD - 1):
            await made.answer()
        assert made.watched.health.state is State.READY


async def test_without_known_answers_an_engine_is_ready_at_once_and_nothing_is_asked() -> None:
    async with bed(None) as made:
        assert await made.answer(2)
        await asyncio.sleep(0.2)
        assert len(made.engine.asked) == 1


@dataclass
class Foreign(SickEngine):
    """Of a model of which nothing is known. ``mood``: added to every token of its next answers, one after the other."""

    mood: list[int] = field(default_factory=list)

    @property
    def description(self) -> worker_pb2.WorkerDescription:
        made = super().description
        made.kind = "openai"
        return made

    async def decode(self, request: Any, timeout_s: float, hold_s: float = 0.0) -> Any:
        if self.mood:
            self.error = self.mood.pop(0)
        async for event in super().decode(request, timeout_s, hold_s):
            yield event


async def test_of_an_unknown_model_what_is_said_at_first_is_right_and_another_answer_twice_in_a_row_is_not() -> None:
    engine = Foreign(pace_s=0.001)
    async with bed(None, engine) as made:
        await made.until(lambda: len(engine.asked) > learned.SURE + 1)
        engine.mood = [7, 0, 0, 8, 0]
        await made.until(lambda: not engine.mood)
        assert made.watched.health.state is State.READY
        engine.error = 5
        await made.until_state(State.ISOLATED)
        assert made.changes[-1].reason == WRONG
        engine.error = 0
        await made.until_state(State.READY)


async def test_who_answers_otherwise_each_time_is_never_called_wrong() -> None:
    engine = Foreign(pace_s=0.001, mood=[1, 2, 3, 4, 5, 6, 7, 8, 9])
    async with bed(None, engine) as made:
        await made.until(lambda: not engine.mood)
        asked = len(engine.asked)
        await made.until(lambda: len(engine.asked) > asked + 2)
        assert states_of(made.changes) == [State.STARTING, State.READY]


async def test_time_that_this_process_did_not_run_is_held_against_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.health.silence.SILENT_S", 0.5)
    monkeypatch.setattr(attendant, "LATE_S", 0.2)
    async with bed(known(), bounds=Bounds(factor=5.0, floor_s=0.1)) as made:
        await made.until(lambda: made.watched.pace.is_known)
        made.engine.pace_s = 0.01
        running = asyncio.create_task(made.answer(60))
        await made.until(lambda: made.watched.calls.running)
        for _ in range(4):
            time.sleep(1.0)
            await asyncio.sleep(0.05)
        assert len(await running) == 60
    assert states_of(made.changes) == [State.STARTING, State.READY]
