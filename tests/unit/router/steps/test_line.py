"""Whose turn it is when a worker has room, on a clock that the test holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import DeadlineExceeded, Overloaded, Unavailable
from router.domain.attempts import Attempts
from router.domain.fleet import Load, Role, Worker
from router.domain.queue import Waiting
from router.steps import line as module
from router.steps.line import Line, Place
from router.steps.pool import Need, Pool

NEED = Need(model_digest=b"m", block_ids=(), tokens=10, grade=2, rows=1)


def worker(name: str = "d0", rows: int = 1) -> Worker:
    return Worker(
        name=name, incarnation="1", role=Role.DECODE, model="m", model_digest=b"m", layout_digest=b"l", rows=rows, max_len_tokens=100
    )


class Desk:
    """A line before one worker with one row."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: int = 16) -> None:
        monkeypatch.setattr(module, "_LOOK_S", 0.001)
        self.clock = FakeClock()
        self.pool = Pool(self.clock)
        self.line = Line(self.pool, self.clock, limit)
        self.order: list[str] = []
        self.places: dict[str, Place] = {}
        self.pool.described("here", worker())
        self.report()

    def report(self, **load: int) -> None:
        self.pool.loaded("d0", "1", Load(**load))

    def come(
        self, name: str, band: int = 5, deadline_s: float = 1e6, ttl_s: float = 1e6, tenant: str = "", need: Need = NEED
    ) -> asyncio.Task[None]:
        now_s = self.clock.monotonic_s()

        async def wait() -> None:
            waiting = Waiting(name, band, now_s + deadline_s, now_s + ttl_s)
            self.places[name] = await self.line.place(need, Attempts(), waiting, 1.0)
            self.order.append(name)

        return asyncio.ensure_future(wait())

    def go(self, name: str) -> None:
        self.pool.ended(self.places.pop(name).prediction)

    async def settled(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


async def test_higher_bands_first_then_the_earliest_deadline(desk: Desk) -> None:
    first = desk.come("first")
    await first
    tasks = [desk.come("late", deadline_s=90), desk.come("early", deadline_s=10), desk.come("urgent", band=9, deadline_s=900)]
    await desk.settled()
    assert len(desk.line) == 3
    for name in ("first", "urgent", "early"):
        desk.go(name)
        await desk.settled()
    await asyncio.gather(*tasks)
    assert desk.order == ["first", "urgent", "early", "late"]
    assert len(desk.line) == 0


async def test_nobody_passes_who_waits(desk: Desk) -> None:
    await desk.come("first")
    waiting = desk.come("waiting")
    await desk.settled()
    desk.go("first")  # there is room, and somebody waits for it
    newcomer = desk.come("newcomer")
    await waiting
    assert desk.order == ["first", "waiting"]
    newcomer.cancel()
    await asyncio.gather(newcomer, return_exceptions=True)
    assert len(desk.line) == 0


async def test_who_needs_more_rows_is_not_passed_by_those_who_need_fewer(desk: Desk) -> None:
    desk.pool.described("here", worker("d0", rows=1))
    desk.pool.described("there", worker("d1", rows=2))
    desk.pool.loaded("d1", "1", Load())
    first, second = desk.come("first"), desk.come("second")
    await asyncio.gather(first, second)  # one row is left, at d1
    many = desk.come("many", need=replace(NEED, rows=2))
    await desk.settled()
    few = desk.come("few")
    await desk.settled()
    assert not many.done() and not few.done()
    for name in ("first", "second"):
        desk.go(name)
        await desk.settled()
    await asyncio.gather(many, few)
    assert desk.order[2:] == ["many", "few"]


async def test_those_whom_nobody_could_serve_let_others_pass(desk: Desk) -> None:
    await desk.come("first")
    hopeless = desk.come("hopeless", band=9, need=Need(model_digest=b"m", block_ids=(), tokens=1000, grade=2, rows=1))
    other = desk.come("other")
    await desk.settled()
    desk.go("first")
    await other
    hopeless.cancel()
    await asyncio.gather(hopeless, return_exceptions=True)


async def test_the_time_to_live_ends_a_wait(desk: Desk) -> None:
    await desk.come("first")
    waiting, absent = desk.come("waiting", ttl_s=5), desk.come("absent", ttl_s=5, need=Need(b"other model", (), 10, 2, 1))
    hurried = desk.come("hurried", deadline_s=3)
    await desk.settled()
    desk.clock.advance(3)
    with pytest.raises(DeadlineExceeded):
        await hurried
    desk.report(rows_used=1)
    desk.clock.advance(2)
    with pytest.raises(Overloaded) as late:
        await waiting
    assert late.value.reason == "QUEUE_EXPIRED"
    with pytest.raises(Unavailable) as nobody:
        await absent
    assert nobody.value.reason == "NO_WORKER"
    assert len(desk.line) == 0


async def test_full_refuses_and_a_higher_band_displaces(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, limit=2)
    await desk.come("first")
    low, high = desk.come("low", band=1), desk.come("high", band=6)
    await desk.settled()
    with pytest.raises(Overloaded) as refused:
        await desk.come("same", band=1)
    urgent = desk.come("urgent", band=9)
    with pytest.raises(Overloaded) as displaced:
        await low
    assert {refused.value.reason, displaced.value.reason} == {"OVERLOADED"}
    for each in (high, urgent):
        each.cancel()
    await asyncio.gather(high, urgent, return_exceptions=True)


async def test_whoever_leaves_as_its_turn_comes_leaves_its_room_to_the_next(desk: Desk) -> None:
    await desk.come("first")
    leaving, staying = desk.come("leaving", band=9), desk.come("staying")
    await desk.settled()
    desk.pool.ended(desk.places.pop("first").prediction)  # gives it to "leaving", which has not noticed yet
    leaving.cancel()
    await staying
    assert desk.order == ["first", "staying"]
    await asyncio.gather(leaving, return_exceptions=True)


async def test_a_breaker_that_lets_a_probe_through_lets_those_who_wait_go_on(desk: Desk) -> None:
    breaker = desk.pool.breaker(worker())
    for _ in range(3):
        with pytest.raises(Unavailable), breaker.guard():
            raise Unavailable("down")
    waiting = desk.come("waiting")
    await desk.settled()
    assert not waiting.done()
    desk.clock.advance(2.0)
    desk.report()
    await waiting
