"""A real engine on the tiny model, driven step by step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from engine.llm.engine import Engine
from engine.llm.generation import ChoiceStart, Event, Finished, Generation, Prefilled, Sampling, Token
from engine.llm.limits import Limits
from engine.llm.loading import LoadedModel, load
from llm import tiny

NAMESPACE = bytes(range(32))
ENDLESS = {"ignore_end": True}


@cache
def model(family: str = "llama", weights: str = "fp32", accuracy_level: int = 0) -> LoadedModel:
    root = Path(mkdtemp(prefix="模型 "))
    return load(tiny.make(root, tiny.Tiny(family=family, weights=weights, accuracy_level=accuracy_level)), threads=1)


def finishes(events: Sequence[Event], request_id: str, choice: int = 0) -> list[Finished]:
    return [event for event in events if isinstance(event, Finished) and (event.request_id, event.choice) == (request_id, choice)]


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def prompt(length: int, seed: int = 1) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(3, 384, length).tolist())


def asked(request_id: str, tokens: Sequence[int], max_tokens: int = 12, **fields: object) -> Generation:
    return Generation(request_id, tokens, **{"namespace": NAMESPACE, "max_tokens": max_tokens, **fields})  # type: ignore[arg-type]


class Driver:
    """``events``: all that was told. Leaks are looked for after every step."""

    def __init__(self, limits: Limits | None = None, clock: Clock | None = None, loaded: LoadedModel | None = None) -> None:
        self.clock = clock or Clock()
        self.engine = Engine(loaded or model(), limits or Limits(rows=4, max_len=512, chunk_tokens=64, prefix_store_bytes=0), self.clock)
        self.events: list[Event] = []

    def step(self) -> list[Event]:
        told = self.engine.step()
        assert self.engine.leaks() == []
        self.events += told
        return told

    def submit(self, *generations: Generation) -> Driver:
        for each in generations:
            self.engine.submit(each)
        return self

    def run(self, *generations: Generation) -> Driver:
        """Submit, and step until nothing is left to do."""
        self.submit(*generations)
        for _ in range(5000):
            self.step()
            if self.engine._loop.is_idle():
                return self
        raise AssertionError(f"still busy: {self.engine.held()}")

    def until(self, kind: type, request_id: str) -> Event:
        """Step until something of a kind was told of a request."""
        for _ in range(5000):
            for event in self.step():
                if isinstance(event, kind) and event.request_id == request_id:  # type: ignore[attr-defined]
                    return event
        raise AssertionError(f"no {kind.__name__} of {request_id}")

    def tokens(self, request_id: str, choice: int = 0) -> list[int]:
        told = [event for event in self.events if isinstance(event, Token) and (event.request_id, event.choice) == (request_id, choice)]
        assert [event.index for event in told] == list(range(told[0].index, told[0].index + len(told))) if told else True
        return [event.token for event in told]

    def finished(self, request_id: str, choice: int = 0) -> Finished:
        (only,) = finishes(self.events, request_id, choice)
        return only

    def stripes(self, row: int, length: int) -> list[np.ndarray]:
        with self.engine._loop.runner.memory.open(row, writes=False) as view:
            return [stripe[:, :length].copy() for stripe in view.stripes]


def hand_over(source: Driver, target: Driver, generation: Generation) -> None:
    """Prefill at one engine, move keys and values, go on at the other; as the services do, without their wires."""
    numbers = [choice.number for choice in generation.choices]
    ids = source.submit(replaced(generation, prefill_only=True))
    told = ids.until((Prefilled, Finished), generation.request_id)  # type: ignore[arg-type]
    if isinstance(told, Finished):
        return
    assert isinstance(told, Prefilled)
    target.engine.reserve("reservation", len(generation.tokens) + 1, 30, rows=len(numbers), chain=told.block_ids)
    with source.engine.row(generation.request_id) as origin, target.engine.landing("reservation") as (row, first_block):
        start = first_block * 64
        for there, here in zip(row.stripes, origin.stripes, strict=True):
            there[:, start : told.length] = here[:, start : told.length]
    source.engine.release_row(generation.request_id)
    starts = tuple(ChoiceStart(each.choice, (each.token,)) for each in told.first)
    target.run(replaced(generation, landed=True, reservation_id="reservation", choices=starts))


def replaced(generation: Generation, **changes: object) -> Generation:
    from dataclasses import replace

    return replace(generation, **changes)  # type: ignore[arg-type]


GREEDY = Sampling()
WARM = Sampling(seed=(1 << 63) + 5, temperature=1.2, top_k=80, top_p=0.95)
