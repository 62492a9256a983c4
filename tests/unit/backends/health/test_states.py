"""The state of an engine, whatever is found in whatever order."""

from __future__ import annotations

import pytest
from backends.health.states import DEAD, FORGIVE_S, GOOD, HUNG, LOST, PROBATION_S, SLOW, WAITS, WRONG, Change, Health, State
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule


def ready(is_probed: bool = True) -> Health:
    health = Health(is_probed)
    health.starting(0.0)
    health.reached(0.0)
    if is_probed:
        health.right(True, 0.0)
    assert health.state is State.READY
    return health


def readmitted(health: Health, now_s: float, step_s: float = 0.5) -> float:
    """Until it is READY again: when."""
    while health.state is not State.READY:
        health.reached(now_s)
        if health.wants_probe(now_s):
            health.right(True, now_s)
        now_s += step_s
        assert now_s < 10_000
    return now_s


def test_an_engine_answers_a_known_question_before_it_is_ready() -> None:
    health = Health(True)
    assert health.starting(0.0) == Change(None, State.STARTING, "", "")
    assert health.reached(1.0) is None
    assert (health.takes, health.wants_probe(1.0)) == (False, True)
    assert health.right(True, 2.0) == Change(State.STARTING, State.READY, "", "")
    assert health.takes


def test_one_that_is_wrong_from_the_beginning_never_is() -> None:
    health = Health(True)
    health.reached(0.0)
    change = health.wrong("token 3", 1.0)
    assert change is not None
    assert (change.after, change.reason, change.detail) == (State.ISOLATED, WRONG, "token 3")
    assert not health.takes


def test_without_known_answers_it_is_ready_when_it_is_reached_and_passes_by_answers_or_time() -> None:
    health = ready(is_probed=False)
    for pass_ in ("answers", "time"):
        health.lost(LOST, "", 10.0)
        change = health.reached(10.0 + DEAD.most_s)
        assert change is not None
        assert change.after is State.PROBATION
        if pass_ == "answers":
            changes = [health.answered(20.0) for _ in range(GOOD)]
            assert [change.after for change in changes if change] == [State.READY]
        else:
            assert health.reached(10.0 + DEAD.most_s + PROBATION_S / 2) is None
            assert health.reached(11.0 + DEAD.most_s + PROBATION_S) is not None
        assert health.state is State.READY


def test_an_engine_that_died_once_is_tried_at_once_and_ready_after_three_right_answers() -> None:
    health = ready()
    health.lost("ENGINE_DEAD", "", 1.0)
    health.reached(3.0)
    assert health.wants_probe(3.0)
    changes = [health.right(True, 3.0 + each) for each in range(GOOD + 1)]
    assert [change.after for change in changes if change] == [State.PROBATION, State.READY]
    assert (health.reason, health.detail) == ("", "")


def test_on_probation_it_says_why_it_was_isolated() -> None:
    health = ready()
    health.wrong("token 2", 1.0)
    health.reached(1.0 + WAITS[WRONG].most_s)
    health.right(True, 1.0 + WAITS[WRONG].most_s)
    assert (health.state, health.reason) == (State.PROBATION, WRONG)


@pytest.mark.parametrize("reason", [SLOW, WRONG])
def test_waits_grow_with_each_isolation_and_shrink_with_quiet_minutes(reason: str) -> None:
    health, now_s, waits = ready(), 0.0, []
    for _ in range(6):
        (health.slow if reason == SLOW else health.wrong)("", now_s)
        waits.append(health.until_s - now_s)
        now_s = readmitted(health, now_s)
    assert waits == [WAITS[reason].seconds(each) for each in range(1, 7)]
    assert waits == sorted(waits)
    assert waits[-1] > 8 * waits[0]
    for _ in range(6):
        now_s += FORGIVE_S
        health.reached(now_s)
    health.wrong("", now_s)
    assert health.until_s - now_s == WAITS[WRONG].first_s


def test_one_that_is_still_wrong_when_it_is_tried_again_waits_longer() -> None:
    health = ready()
    health.wrong("", 0.0)
    health.reached(0.0)
    first_s = health.until_s
    assert not health.wants_probe(first_s - 1)
    assert health.wrong("", first_s) is None
    assert health.until_s - first_s == 2 * first_s


def test_one_that_is_right_and_still_slow_stays_isolated_and_may_be_asked_by_those_who_have_no_other() -> None:
    health = ready()
    health.slow("", 0.0)
    health.reached(0.0)
    assert health.takes
    assert health.right(False, health.until_s) is None
    assert health.state is State.ISOLATED
    health.lost(LOST, "", health.until_s)
    assert not health.takes


def test_a_failure_on_probation_isolates_again_for_longer() -> None:
    health = ready()
    health.hung("", 0.0)
    health.reached(1.0)
    health.right(True, 1.0)
    assert health.state is State.PROBATION
    change = health.failed("it broke", 2.0)
    assert change is not None
    assert (change.after, change.reason, health.times) == (State.ISOLATED, HUNG, 2)
    assert ready().failed("one request of many", 1.0) is None


def test_another_incarnation_that_nobody_saw_begin_is_on_probation() -> None:
    change = ready().renewed(5.0)
    assert change is not None
    assert change.after is State.PROBATION


class Findings(RuleBasedStateMachine):
    """Anything is found in any order, by a clock that goes on."""

    @initialize(is_probed=st.booleans())
    def begin(self, is_probed: bool) -> None:
        self.health, self.now_s = Health(is_probed), 0.0
        self.changes: list[Change] = []
        self.right_since_isolated = 0
        self.untried_s = 0.0

    def noted(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append(change)
            if change.after is State.ISOLATED:
                self.right_since_isolated = 0
                self.untried_s = self.health.until_s

    @rule(seconds=st.floats(0.01, 200))
    def time(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def reached(self) -> None:
        self.noted(self.health.reached(self.now_s))

    @rule(reason=st.sampled_from([LOST, HUNG, "ENGINE_DEAD"]))
    def lost(self, reason: str) -> None:
        self.noted(self.health.lost(reason, "", self.now_s))
        assert not self.health.takes

    @rule()
    def wrong(self) -> None:
        self.noted(self.health.wrong("", self.now_s))
        assert not self.health.takes

    @rule()
    def slow(self) -> None:
        self.noted(self.health.slow("", self.now_s))
        assert self.health.state is State.ISOLATED

    @rule()
    def hung(self) -> None:
        self.noted(self.health.hung("", self.now_s))
        assert not self.health.takes

    @rule()
    def draining(self) -> None:
        self.noted(self.health.draining(self.now_s))
        assert not self.health.takes

    @rule(is_paced=st.booleans())
    def right(self, is_paced: bool) -> None:
        if self.health.wants_probe(self.now_s):
            self.right_since_isolated += 1
            self.noted(self.health.right(is_paced, self.now_s))

    @rule()
    def answered(self) -> None:
        if self.health.takes:
            self.noted(self.health.answered(self.now_s))

    @rule()
    def failed(self) -> None:
        self.noted(self.health.failed("", self.now_s))

    @rule()
    def renewed(self) -> None:
        self.noted(self.health.renewed(self.now_s))

    @invariant()
    def changes_follow_one_another(self) -> None:
        before = None
        for change in self.changes:
            assert change.before is before
            before = change.after
        if self.changes:
            assert self.health.state is self.changes[-1].after

    @invariant()
    def an_isolated_one_is_asked_for_nothing(self) -> None:
        if self.changes and self.health.state in (State.ISOLATED, State.STARTING, State.DRAINING):
            assert not self.health.takes or self.health.reason == SLOW

    @invariant()
    def an_isolated_one_is_not_tried_before_its_time(self) -> None:
        if self.changes and self.health.state is State.ISOLATED and self.now_s < self.health.until_s:
            assert not self.health.wants_probe(self.now_s)

    @invariant()
    def the_way_back_leads_over_probation(self) -> None:
        for change in self.changes:
            assert not (change.before is State.ISOLATED and change.after is State.READY)

    @invariant()
    def who_is_probed_is_ready_by_right_answers_alone(self) -> None:
        if self.changes and self.health.is_probed and self.health.state is State.READY and self.isolated_once():
            assert self.right_since_isolated > GOOD

    def isolated_once(self) -> bool:
        since = [change.after for change in self.changes]
        if State.ISOLATED not in since:
            return False
        later = since[len(since) - 1 - since[::-1].index(State.ISOLATED) :]
        return State.DRAINING not in later


TestFindings = Findings.TestCase
TestFindings.settings = settings(deadline=None)
