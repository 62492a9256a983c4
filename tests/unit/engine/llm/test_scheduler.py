from __future__ import annotations

import numpy as np
import pytest
from engine.llm.generation import ChoiceStart, FinishReason, Generation
from engine.llm.limits import SMALLEST_CHUNK
from engine.llm.rows import Rows
from engine.llm.scheduler import Plan, Scheduler, chunk
from engine.llm.sequence import Choice, Phase, Request
from hypothesis import given, settings
from hypothesis import strategies as st

ARRIVALS = iter(range(1, 1 << 30))


def request(length: int, choices: int = 1, *, prefill_only: bool = False, priority: int = 0, deadline: float | None = None) -> Request:
    number = next(ARRIVALS)
    starts = tuple(ChoiceStart(each) for each in range(choices))
    asked = Generation(
        f"r{number}", range(length), bytes(32), 99, choices=starts, prefill_only=prefill_only, priority=priority, deadline=deadline
    )
    made = Request(asked, np.arange(length), (), 99, number)
    made.choices = [Choice(made, start.number, []) for start in starts]
    return made


def plan(scheduler: Scheduler) -> Plan:
    return scheduler.plan(lambda _: None)


def read(scheduler: Scheduler, done: Plan) -> None:
    """What the loop does with a plan, without a graph."""
    for piece in done.prefill:
        piece.request.computed += piece.count
        if not piece.request.remaining:
            for choice, row in zip(piece.request.choices, piece.request.rows, strict=False):
                choice.row = row
            scheduler.decode(piece.request)


@pytest.mark.parametrize("budget", [16, 17, 32, 64, 128])
@pytest.mark.parametrize("length", [2, 3, 15, 16, 17, 18, 33, 64, 65, 66, 129, 130, 1000])
def test_a_one_token_chunk_is_never_scheduled(length: int, budget: int) -> None:
    pieces, left = [], length
    while left:
        pieces.append(chunk(left, budget))
        left -= pieces[-1]
    assert min(pieces) >= 2
    assert max(pieces) <= budget
    assert sum(pieces) == length


def test_answers_are_written_first_and_prompts_are_read_in_the_order_of_their_coming() -> None:
    scheduler = Scheduler(Rows(8), lambda *_: 64)
    first, second, third = request(100), request(20), request(30)
    for each in (first, second, third):
        scheduler.wait(each)
    done = plan(scheduler)
    assert [(piece.request, piece.start, piece.count) for piece in done.prefill] == [(first, 0, 64)]
    assert not done.decode
    read(scheduler, done)
    done = plan(scheduler)
    assert [(piece.request, piece.start, piece.count) for piece in done.prefill] == [(first, 64, 36), (second, 0, 20)]
    read(scheduler, done)
    done = plan(scheduler)
    assert [choice.request for choice in done.decode] == [first, second]
    assert [(piece.request, piece.count) for piece in done.prefill] == [(third, 30)]


def test_answers_are_in_the_order_of_their_rows() -> None:
    scheduler, rows = Scheduler(Rows(4), lambda *_: 64), []
    for each in (request(4, 2), request(4), request(4)):
        scheduler.wait(each)
    read(scheduler, plan(scheduler))
    rows = [choice.row for choice in plan(scheduler).decode]
    assert rows == [0, 1, 2, 3]


def test_a_prompt_that_is_only_read_writes_nothing_and_keeps_one_row() -> None:
    scheduler = Scheduler(Rows(2), lambda *_: 64)
    asked = request(10, 3, prefill_only=True)
    scheduler.wait(asked)
    read(scheduler, plan(scheduler))
    assert (asked.phase, asked.rows) == (Phase.PREFILLED, [0])
    assert plan(scheduler) == Plan([], [])
    assert scheduler.is_idle


def test_nobody_passes_who_waits_for_more_rows() -> None:
    rows = Rows(2)
    scheduler = Scheduler(rows, lambda *_: 64)
    rows.take("somebody")
    two, one = request(5, 2), request(5)
    scheduler.wait(two)
    scheduler.wait(one)
    assert not plan(scheduler).prefill
    assert (two.phase, one.phase) == (Phase.WAITING, Phase.WAITING)
    rows.give_back([0])
    assert [piece.request for piece in plan(scheduler).prefill] == [two]


def test_higher_priority_then_the_earlier_deadline_then_who_came_first() -> None:
    scheduler = Scheduler(Rows(9), lambda *_: 128)
    late, soon, urgent, plain = request(3), request(3, deadline=5.0), request(3, priority=9), request(3)
    for each in (late, soon, urgent, plain):
        scheduler.wait(each)
    assert [piece.request for piece in plan(scheduler).prefill] == [urgent, soon, late, plain]


def test_a_prompt_is_not_begun_for_the_few_tokens_that_others_leave() -> None:
    scheduler = Scheduler(Rows(9), lambda *_: 64)
    for each in (request(60), request(40)):
        scheduler.wait(each)
    assert [piece.count for piece in plan(scheduler).prefill] == [60]


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(1, 200), st.integers(1, 4), st.booleans()),
        st.tuples(st.just("step"), st.just(0), st.just(0), st.just(False)),
        st.tuples(st.just("finish"), st.integers(0, 9), st.just(0), st.just(False)),
        st.tuples(st.just("abort"), st.integers(0, 9), st.just(0), st.just(False)),
    ),
    max_size=60,
)


@given(OPERATIONS, st.integers(1, 6), st.sampled_from([16, 17, 64]))
@settings(max_examples=200, deadline=None)
def test_whatever_happens_nothing_leaks_and_everybody_is_served(operations, count: int, budget: int) -> None:
    rows = Rows(count)
    scheduler = Scheduler(rows, lambda *_: budget)
    live: list[Request] = []

    def end(each: Request) -> None:
        scheduler.end(each)
        rows.give_back(each.rows)
        each.rows = []
        live.remove(each)

    def step() -> None:
        done = plan(scheduler)
        assert sum(piece.count for piece in done.prefill) <= budget
        assert all(piece.count > 1 or piece.request.length == 1 for piece in done.prefill)
        assert len({choice.row for choice in done.decode}) == len(done.decode)
        assert len({piece.request.rows[0] for piece in done.prefill}) == len(done.prefill)
        read(scheduler, done)

    for kind, one, two, flag in operations:
        if kind == "submit":
            live.append(request(one, min(two, count), prefill_only=flag))
            scheduler.wait(live[-1])
        elif kind == "step":
            step()
        elif live:
            chosen = live[one % len(live)]
            if kind == "abort":
                end(chosen)
            elif chosen.phase is Phase.DECODING:
                for choice in chosen.live()[:1]:
                    choice.finished = FinishReason.STOP
                    scheduler.finish(choice)
                if not chosen.live():
                    end(chosen)
        held = [row for each in live for row in each.rows]
        assert sorted(held) == sorted(rows.held())
        assert all(choice.request in live for choice in scheduler.decoding)
    while live:
        step()
        for each in [each for each in live if each.phase in (Phase.DECODING, Phase.PREFILLED)]:
            end(each)
    assert (rows.free, scheduler.queued, scheduler.prefill_tokens) == (count, 0, 0)
    assert scheduler.is_idle


def test_the_smallest_budget_reads_every_length() -> None:
    for length in range(1, 80):
        scheduler = Scheduler(Rows(1), lambda *_: SMALLEST_CHUNK)
        asked = request(length)
        scheduler.wait(asked)
        for _ in range(length):
            read(scheduler, plan(scheduler))
        assert asked.phase is Phase.DECODING, length
