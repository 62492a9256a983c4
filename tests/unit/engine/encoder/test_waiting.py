"""What is run next: questions first, in order, side by side within the bound."""

from __future__ import annotations

import numpy as np
from engine.encoder.waiting import Waiting, Work


def work(*lengths: int, is_query: bool = False) -> Work:
    return Work([np.ones(length, np.int64) for length in lengths], is_query, lambda _: None)


def runs(waiting: Waiting, most_pieces: int) -> list[list[int]]:
    found = []
    while run := waiting.next_run(most_pieces):
        found.append([len(row.ids) for row in run])
    return found


def test_a_question_goes_before_passages_that_came_earlier() -> None:
    waiting = Waiting()
    waiting.add(work(50, 60, 70))
    waiting.add(work(5, is_query=True))
    assert runs(waiting, 120) == [[5], [50, 60], [70]]


def test_a_run_is_as_wide_as_its_longest_row_and_never_above_the_bound() -> None:
    waiting = Waiting()
    waiting.add(work(10, 10, 100, 100, 10))
    assert runs(waiting, 200) == [[10, 10], [100, 100], [10]]


def test_a_row_above_the_bound_runs_alone() -> None:
    waiting = Waiting()
    waiting.add(work(10, 512, 10))
    assert runs(waiting, 256) == [[10], [512], [10]]


def test_rows_of_several_requests_run_side_by_side() -> None:
    waiting = Waiting()
    for _ in range(3):
        waiting.add(work(8, is_query=True))
    assert runs(waiting, 256) == [[8, 8, 8]]


def test_pieces_that_wait_are_counted() -> None:
    waiting, dropped = Waiting(), work(7, 7)
    waiting.add(dropped)
    waiting.add(work(5, 6))
    assert waiting.pieces == 25
    waiting.drop(dropped)
    assert waiting.pieces == 11
    assert runs(waiting, 5) == [[5], [6]]
    assert waiting.pieces == 0
