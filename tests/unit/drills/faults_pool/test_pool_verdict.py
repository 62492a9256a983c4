"""Engines in trouble: what is planned, and how answers and isolations are judged."""

from __future__ import annotations

from itertools import pairwise

import pytest
from drills.faults_llm.plan import PROMPTS
from drills.faults_llm.verdict import Outcome
from drills.faults_pool.plan import COPIES, LIMIT_S, ROLES, Kind, ask, injections
from drills.faults_pool.verdict import Tally, Window, short_of

SAID = {0: [5, 6, 7, 8]}


def taken(*outcomes: Outcome, windows: tuple[Window, ...] = (), ended_s: float = 100.0) -> Tally:
    tally = Tally()
    for outcome in outcomes:
        tally.take(outcome, SAID, windows, ended_s)
    return tally


def answer(*tokens: int, **other: object) -> Outcome:
    return Outcome(7, {0: tokens}, **other)  # type: ignore[arg-type]


def test_every_kind_hits_every_engine_and_a_seed_repeats() -> None:
    planned = injections(3, 8)
    assert planned == injections(3, 8) and planned != injections(4, 8)
    assert [sum(each.kind is kind for each in planned) for kind in Kind] == [8] * len(Kind)
    assert {each.row for each in planned} == {"triton-prefill", "triton-prefill-2", "triton-decode", "triton-decode-2"}
    assert len({(each.role, each.copy) for each in planned}) == len(ROLES) * COPIES
    neighbours = pairwise(planned)
    assert sum(one.row == other.row for one, other in neighbours) <= len(planned) // len(Kind), "an engine is troubled twice in a row"


def test_requests_are_greedy_and_of_the_prompts_there_are() -> None:
    asked = [ask(1, number) for number in range(200)]
    assert asked == [ask(1, number) for number in range(200)]
    assert all(each.temperature == 0 and each.choices == 1 and each.cancel is None and each.prompt < PROMPTS for each in asked)


def test_right_answers_hold() -> None:
    tally = taken(answer(5, 6, 7, 8), answer(5, 6, 7, 8, failovers=1))
    assert tally.held and (tally.requests, tally.answered, tally.failovers) == (2, 2, 1)


@pytest.mark.parametrize("tokens", [(5, 6, 9, 8), (5, 6, 7), (5, 6, 7, 8, 9), (6, 6, 7, 8)])
def test_a_wrong_answer_outside_of_a_trouble_breaks_the_promise(tokens: tuple[int, ...]) -> None:
    tally = taken(answer(*tokens))
    assert (tally.wrong_after_isolation, tally.wrong_before_isolation) == (1, 0) and not tally.held


@pytest.mark.parametrize(
    ("took_s", "ended_s", "is_before"),
    [
        (1.0, 100.0, True),  # inside
        (20.0, 91.0, True),  # began before the trouble, ended in it
        (20.0, 110.0, True),  # began in it, ended after the isolation
        (1.0, 107.0, False),  # began after the isolation
        (1.0, 89.0, False),  # ended before the trouble
    ],
)
def test_a_wrong_answer_belongs_to_the_trouble_that_it_ran_into(took_s: float, ended_s: float, is_before: bool) -> None:
    tally = taken(answer(5, 9, 7, 8, took_s=took_s), windows=(Window(90.0, 105.0),), ended_s=ended_s)
    assert (tally.wrong_before_isolation, tally.wrong_after_isolation) == ((1, 0) if is_before else (0, 1))
    assert tally.held is is_before


def test_an_engine_that_is_never_isolated_answers_for_all_that_follows() -> None:
    assert Window(90.0, float("inf")).has(1_000.0, 1_001.0)
    tally = taken(answer(1, 2))
    tally.isolated(Kind.WRONG, 90.0, "wrong triton-decode")
    assert any("isolated after 90.0 s" in finding for finding in tally.late)


def test_losses() -> None:
    tally = taken(answer(error="NO_WORKER"), answer(5, 6, error="STREAM_BROKEN"), answer(5, error="STREAM_WITHOUT_END"), answer(hung=True))
    assert (tally.lost_before_first_byte, tally.marked_losses, tally.unmarked, tally.answered) == (1, 1, 2, 0)
    assert tally.wrong_after_isolation == 0, "a beginning of the right answer is right"
    assert not tally.held and tally.errors == {"NO_WORKER": 1, "STREAM_BROKEN": 1, "STREAM_WITHOUT_END": 1}


def test_a_marked_loss_alone_breaks_nothing() -> None:
    assert taken(answer(5, 6, error="STREAM_BROKEN")).held


def test_a_loss_whose_beginning_is_wrong_is_wrong() -> None:
    assert taken(answer(5, 9, error="STREAM_BROKEN")).wrong_after_isolation == 1


@pytest.mark.parametrize("kind", Kind)
def test_isolations_beside_their_limits(kind: Kind) -> None:
    tally = Tally()
    tally.isolated(kind, LIMIT_S[kind], f"{kind} a")
    assert tally.held
    tally.isolated(kind, LIMIT_S[kind] + 0.1, f"{kind} b")
    assert not tally.held
    told = tally.as_json()[kind.value]
    assert told == {"injected": 2, "isolated_s_p50": round(LIMIT_S[kind] + 0.05, 2), "isolated_s_max": LIMIT_S[kind] + 0.1}


def test_what_is_missing() -> None:
    tally = taken(answer(5, 6, 7, 8))
    tally.isolated(Kind.HANG, 1.0, "")
    assert short_of(tally, 1, 1) == ["0 of 1 times crash", "0 of 1 times slow", "0 of 1 times wrong"]
    assert short_of(tally, 2, 0) == ["1 of 2 requests"]
