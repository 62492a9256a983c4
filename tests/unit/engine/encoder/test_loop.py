"""The thread of an encoder: who waits is answered once, whatever happens to others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from engine.encoder.loop import BusyError, Loop
from engine.encoder.waiting import F32, I64, Work


class Graph:
    """Gives each row its first id as its vector. While ``gate`` is closed, runs wait; ``entered`` says that one does."""

    def __init__(self) -> None:
        self.gate, self.entered = threading.Event(), threading.Event()
        self.runs: list[list[int]] = []

    def encode(self, rows: list[I64]) -> F32:
        self.entered.set()
        assert self.gate.wait(30)
        self.runs.append([int(row[0]) for row in rows])
        if any(row[0] == 13 for row in rows):
            raise RuntimeError("bad row")
        return np.array([[row[0]] for row in rows], np.float32)


class Asker:
    def __init__(self, *first_ids: int, length: int = 100, is_query: bool = False) -> None:
        self.found: list[Any] = []
        self.is_answered = threading.Event()
        self.work = Work([np.full(length, each, np.int64) for each in first_ids], is_query, self._answer)

    def _answer(self, found: F32 | Exception) -> None:
        self.found.append(found)
        self.is_answered.set()

    def result(self) -> Any:
        assert self.is_answered.wait(30)
        (only,) = self.found
        return only


@pytest.fixture
def graph() -> Graph:
    return Graph()


@pytest.fixture
def loop(graph: Graph) -> Iterator[Loop]:
    loop = Loop(graph.encode, run_pieces=200, most_waiting_pieces=1_000)
    yield loop
    graph.gate.set()
    loop.close()


def test_a_question_waits_for_one_run_of_passages(graph: Graph, loop: Loop) -> None:
    passages, question = Asker(1, 2, 3, 4, 5), Asker(9, length=4, is_query=True)
    loop.submit(passages.work)
    assert graph.entered.wait(30)
    loop.submit(question.work)
    graph.gate.set()
    assert question.result().tolist() == [[9]]
    assert passages.result().tolist() == [[1], [2], [3], [4], [5]]
    assert graph.runs == [[1, 2], [9], [3, 4], [5]]


def test_a_run_that_fails_is_failed_for_its_requests_alone(graph: Graph, loop: Loop) -> None:
    graph.gate.set()
    bad, good = Asker(1, 2, 13, 4, 5, 6), Asker(7, 8)
    loop.submit(bad.work)
    loop.submit(good.work)
    assert isinstance(bad.result(), RuntimeError)
    assert good.result().tolist() == [[7], [8]]
    assert [5, 6] not in graph.runs, "what is left of a failed request is not run"


def test_too_much_is_refused_at_once_and_a_large_request_alone_is_not(graph: Graph, loop: Loop) -> None:
    large = Asker(*range(20, 40))
    loop.submit(large.work)
    assert graph.entered.wait(30)
    with pytest.raises(BusyError):
        loop.submit(Asker(1, 2).work)
    graph.gate.set()
    assert len(large.result()) == 20


def test_who_waits_is_told_when_it_ends(graph: Graph) -> None:
    loop, running, waiting = Loop(graph.encode, run_pieces=100), Asker(1), Asker(2)
    loop.submit(running.work)
    assert graph.entered.wait(30)
    loop.submit(waiting.work)
    closing = threading.Thread(target=loop.close)
    closing.start()
    graph.gate.set()
    closing.join(30)
    assert running.result().tolist() == [[1]]
    assert isinstance(waiting.result(), BusyError) or waiting.result().tolist() == [[2]]
    with pytest.raises(BusyError):
        loop.submit(Asker(3).work)
