"""The states of an outage, as drawn in steps/outage.py."""

import asyncio
from typing import Any

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import Unavailable
from risk_scoring.steps import outage
from risk_scoring.steps.outage import Outage, State

from tests.protocol.desks import Health

GONE = Unavailable("the feature store does not answer", reason="FEATURE_STORE_DOWN")


class Neighbours:
    """Restorer, log and log decider in one; each step that is named in ``fails`` does so once."""

    def __init__(self, *fails: str, answers: bool = False) -> None:
        self._fails = list(fails)
        self._answers = answers
        self.left = asyncio.Event()

    async def answers(self, within_s: float) -> bool:
        return self._answers

    async def enter(self) -> None:
        self._step("enter")

    async def ensure(self) -> None:
        self._step("ensure")

    async def take_over_all(self) -> None:
        self._step("take over")

    async def leave(self) -> None:
        self.left.set()

    async def decide(self, requests: Any) -> Any:
        return requests

    def _step(self, name: str) -> None:
        if name in self._fails:
            self._fails.remove(name)
            raise GONE


def opened(of: Any, monkeypatch: pytest.MonkeyPatch, visited: list[State]) -> Outage:
    """An outage that notes where it goes."""
    genuine = Outage._go

    def go(self: Outage, state: State) -> None:
        genuine(self, state)
        visited.append(state)

    monkeypatch.setattr(Outage, "_go", go)
    monkeypatch.setattr(outage, "_PROBE_S", 0.0)
    return Outage(of, of, of, FakeClock(0.0), Health(), 0.0)  # type: ignore[arg-type]


DOWN, BACK = [State.DOUBTING, State.TAKING, State.OUT], [State.CLOSING, State.RETURNING, State.WORKING]


@pytest.mark.parametrize(
    ("fails", "way"),
    [
        ((), [*DOWN, *BACK]),
        (("enter", "enter", "ensure"), [*DOWN, *BACK]),
        (("take over", "ensure"), [*DOWN, State.CLOSING, State.RETURNING, State.OUT, *BACK]),
    ],
)
async def test_there_and_back(fails: tuple[str, ...], way: list[State], monkeypatch: pytest.MonkeyPatch) -> None:
    around, visited = Neighbours(*fails), list[State]()
    at = opened(around, monkeypatch, visited)
    at.store_failed(GONE)
    async with asyncio.timeout(10):
        await around.left.wait()
    assert visited == way


async def test_a_store_that_answers_is_used_on(monkeypatch: pytest.MonkeyPatch) -> None:
    visited = list[State]()
    at = opened(Neighbours(answers=True), monkeypatch, visited)
    for _ in range(2):
        at.store_failed(GONE)
        assert not at.active
        await at._doubting  # type: ignore[misc]
    assert visited == [State.DOUBTING, State.WORKING] * 2


async def test_calls_are_refused_on_the_last_part_of_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    at = opened(Neighbours(), monkeypatch, [])
    for state in State:
        at.state = state
        if state in (State.TAKING, State.OUT):
            assert await at.decide([1]) == [1]  # type: ignore[list-item]
        else:
            with pytest.raises(Unavailable):
                await at.decide([1])  # type: ignore[list-item]


async def test_there_is_no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    at = opened(Neighbours(), monkeypatch, [])
    with pytest.raises(RuntimeError, match="no way from WORKING to CLOSING"):
        at._go(State.CLOSING)
