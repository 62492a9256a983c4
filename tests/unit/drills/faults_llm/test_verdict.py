"""What the campaign against LLM serving calls wrong, and what it plans."""

from __future__ import annotations

from collections import Counter

import pytest
from drills.faults_llm.plan import COPIES, PROMPTS, ROLES, Phase, ask, kills, prompts
from drills.faults_llm.verdict import Outcome, Tally, compare, short_of

EXPECTED = [5, 6, 7, 8]


@pytest.mark.parametrize(
    ("found", "whole", "wrong"),
    [
        ([5, 6, 7, 8], True, (0, 0)),
        ([5, 6], False, (0, 0)),
        ([], False, (0, 0)),
        ([5, 6], True, (2, 0)),  # an answer that says it is whole and is not
        ([5, 6, 6, 7, 8], True, (0, 1)),  # the first token of the other half said again
        ([5, 5, 6, 7], False, (0, 1)),
        ([5, 6, 7, 8, 9], True, (0, 1)),
        ([5, 9, 7, 8], True, (1, 0)),
        ([5, 9], False, (1, 0)),
    ],
)
def test_an_answer_beside_the_oracles(found: list[int], whole: bool, wrong: tuple[int, int]) -> None:
    assert compare(found, EXPECTED, whole=whole) == wrong


def test_an_error_is_no_wrong_answer_but_what_was_said_before_it_counts() -> None:
    tally = Tally()
    tally.take(Outcome(1, {0: [5, 6]}, error="STREAM_BROKEN"), {0: EXPECTED})
    assert (tally.held, tally.errors, tally.answered) == (True, {"STREAM_BROKEN": 1}, 0)
    tally.take(Outcome(2, {0: [5, 7]}, error="STREAM_BROKEN"), {0: EXPECTED})
    assert not tally.held
    assert tally.wrong_answers == 1


def test_each_choice_is_compared_with_its_own() -> None:
    tally = Tally()
    tally.take(Outcome(1, {0: [5], 1: [6]}, handed_over=True), {0: [5], 1: [6]})
    assert (tally.held, tally.handoffs) == (True, 1)
    tally.take(Outcome(2, {0: [5], 1: [5]}), {0: [5], 1: [6]})
    assert tally.corrupted_tokens == 1


BROKEN = ("corrupted_tokens", "duplicated_tokens", "wrong_answers", "hung_requests", "leaked_blocks", "triton_deaths")


@pytest.mark.parametrize("name", BROKEN)
def test_one_of_anything_breaks_the_promise(name: str) -> None:
    tally = Tally()
    setattr(tally, name, 1)
    assert not tally.held


def test_what_is_missing_is_said() -> None:
    tally = Tally(handoffs=1, kills={"router": 1}, transfers={"short_read": 2}, cancels={"decode": 1})
    missing = short_of(tally, handoffs=2, kills=1, transfers=2, cancels=1, roles=("router", "gateway"), kinds=("short_read",))
    assert missing == ["1 of 2 hand-offs", "0 of 1 kills of gateway", "0 of 1 cancels in admission", "0 of 1 cancels in prefill"]


def test_a_campaign_can_be_repeated_and_resumed() -> None:
    assert [ask(7, number, 0.3) for number in range(50)] == [ask(7, number, 0.3) for number in range(50)]
    assert kills(7, 2) == kills(7, 2)
    assert prompts(7, 384) == prompts(7, 384)


def test_every_role_is_killed_as_often() -> None:
    planned = kills(1, 3)
    assert Counter(kill.role for kill in planned) == dict.fromkeys(ROLES, 3)
    assert {kill.copy for kill in planned} <= set(range(1, COPIES + 1))


def test_every_phase_is_cancelled_and_no_special_token_is_asked() -> None:
    asks = [ask(1, number, 0.3) for number in range(400)]
    assert {each.cancel for each in asks} == {None, *Phase}
    assert {each.prompt for each in asks} <= set(range(PROMPTS))
    assert not {0, 1, 2} & {token for prompt in prompts(1, 384, frozenset({0, 1, 2})) for token in prompt}
