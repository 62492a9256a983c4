"""Outcomes (rules D18, D19): thresholds, rules, lists, channel mode and decline cap; with mutants that each rule must catch."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from risk_scoring.domain import outcome as module
from risk_scoring.domain.outcome import (
    ChannelMode,
    Outcome,
    RuleAction,
    Thresholds,
    act,
    cappable,
    recommend,
    rounded_scores,
)

APPROVE, CHALLENGE, REVIEW, DECLINE = Outcome
LIVE, MONITOR, OFF = ChannelMode
NONE, ALERT, BLOCK, HARD = RuleAction
THRESHOLDS = np.array([0.3, 0.6, 0.9])


def recommended(score, action=NONE, blocked=False, trusted=False, recommend=recommend):
    result = recommend(
        np.array([score], dtype=np.float64), np.array([action], dtype=np.int8), np.array([blocked]), np.array([trusted]), THRESHOLDS
    )
    return Outcome(int(result.outcome[0])), bool(result.hard[0])


def acting(outcome, mode, default=REVIEW, act=act):
    return Outcome(int(act(*(np.array([x], dtype=np.int8) for x in (outcome, mode, default)))[0]))


def check_recommend(recommend=recommend):
    say = lambda *args, **kwargs: recommended(*args, recommend=recommend, **kwargs)  # noqa: E731
    assert [say(s)[0] for s in (0.0, 0.299999, 0.3, 0.6, 0.899999, 0.9, 1.0)] == [
        APPROVE, APPROVE, CHALLENGE, REVIEW, REVIEW, DECLINE, DECLINE,
    ]  # fmt: skip
    assert [say(np.nan, action) for action in RuleAction] == [(APPROVE, False), (REVIEW, False), (DECLINE, False), (DECLINE, True)]
    assert say(0.95, ALERT) == (DECLINE, False)
    assert say(0.95, trusted=True) == (APPROVE, False)
    assert say(0.95, ALERT, trusted=True) == (REVIEW, False), "trust lifts what the score asks for, not the rules"
    assert say(0.95, HARD, trusted=True) == (DECLINE, True)
    assert say(0.0, blocked=True, trusted=True) == (DECLINE, True)
    assert say(np.nan, blocked=True) == (DECLINE, True)


def check_modes(act=act):
    """D19."""
    for outcome in Outcome:
        assert acting(outcome, LIVE, act=act) == outcome
        assert acting(outcome, MONITOR, act=act) == APPROVE, "a monitored channel never blocks"
        for default in Outcome:
            assert acting(outcome, OFF, default, act=act) == default


def check_cappable(cappable=cappable):
    """D18: which declines the cap may soften; that it does is shown on the finalise script (tests/protocol/test_d18_cap.py)."""
    rows = [(outcome, hard, mode) for outcome in Outcome for hard in (False, True) for mode in ChannelMode]
    acting, hard, mode = (np.array(column) for column in zip(*rows, strict=True))
    soft = cappable(acting.astype(np.int8), hard.astype(bool), mode.astype(np.int8))
    assert [row for row, may in zip(rows, soft, strict=True) if may] == [(DECLINE, False, LIVE)]


def test_score_rules_and_lists():
    check_recommend()


def test_d19_modes():
    check_modes()


def test_d18_cappable():
    check_cappable()


def trust_lifts_rules(score, action, blocked, trusted, thresholds):
    return recommend(score, np.where(trusted, 0, action).astype(np.int8), blocked, trusted, thresholds)


def trust_lifts_blocks(score, action, blocked, trusted, thresholds):
    return recommend(score, action, blocked & ~trusted, trusted, thresholds)


def missing_score_declines(score, action, blocked, trusted, thresholds):
    return recommend(np.nan_to_num(score, nan=1.0), action, blocked, trusted, thresholds)


def exclusive_thresholds(score, action, blocked, trusted, thresholds):
    return recommend(score - 1e-9, action, blocked, trusted, thresholds)


def rule_block_is_hard(score, action, blocked, trusted, thresholds):
    return recommend(score, np.where(action == BLOCK, HARD, action).astype(np.int8), blocked, trusted, thresholds)


@pytest.mark.parametrize(
    "mutant", [trust_lifts_rules, trust_lifts_blocks, missing_score_declines, exclusive_thresholds, rule_block_is_hard]
)
def test_mutants_of_recommend_are_caught(mutant):
    with pytest.raises(AssertionError):
        check_recommend(mutant)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda outcome, mode, default: np.where(mode == OFF, default, outcome),  # a monitored channel blocks
        lambda outcome, mode, default: np.where(mode == LIVE, outcome, np.int8(APPROVE)),  # no default answer
        lambda outcome, mode, default: np.where(mode == LIVE, np.minimum(outcome, REVIEW), act(outcome, mode, default)),
    ],
)
def test_d19_mutants_are_caught(mutant):
    with pytest.raises(AssertionError):
        check_modes(mutant)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda acting, hard, mode: cappable(acting, np.zeros_like(hard), mode),  # hard blocks too
        lambda acting, hard, mode: cappable(acting, hard, np.full_like(mode, LIVE)),  # default answers too
        lambda acting, hard, mode: (acting >= REVIEW) & ~hard & (mode == LIVE),  # reviews too
        lambda acting, hard, mode: np.zeros_like(hard),
    ],
)
def test_d18_mutants_are_caught(mutant):
    with pytest.raises(AssertionError):
        check_cappable(mutant)


ROW = st.tuples(
    st.floats(0, 1) | st.just(np.nan), st.sampled_from(list(RuleAction)), st.booleans(), st.booleans(), st.sampled_from(list(ChannelMode)),
    st.sampled_from(list(Outcome)),
)  # fmt: skip


@given(st.lists(ROW, max_size=8))
def test_whatever_comes_a_block_holds_and_only_declines_can_be_capped(rows):
    score, action, blocked, trusted, mode, default = ([row[k] for row in rows] for k in range(6))
    mode = np.array(mode, dtype=np.int8)
    advice = recommend(
        np.array(score, dtype=np.float64), np.array(action, dtype=np.int8), np.array(blocked, dtype=bool), np.array(trusted, dtype=bool),
        THRESHOLDS,
    )  # fmt: skip
    acting = act(advice.outcome, mode, np.array(default, dtype=np.int8))
    assert acting.dtype == advice.outcome.dtype == np.int8
    block = np.array(blocked, dtype=bool) & (mode == LIVE)
    soft = cappable(acting, advice.hard, mode)
    assert (acting[block] == DECLINE).all() and not soft[block].any()
    assert (acting[soft] == DECLINE).all()


def test_thresholds_by_row():
    limits = np.array([[0.1, 0.2, 0.3], [0.7, 0.8, 0.9]])
    score = np.array([0.5, 0.5])
    nothing = np.zeros(2, dtype=bool)
    assert recommend(score, np.zeros(2, dtype=np.int8), nothing, nothing, limits).outcome.tolist() == [DECLINE, APPROVE]


@pytest.mark.parametrize("limits", [(0.5, 0.4, 0.9), (0.0, 0.4, 0.9), (0.1, 0.4, 1.1), (0.4, 0.4, 0.9), (float("nan"), 0.4, 0.9)])
def test_thresholds_out_of_order_are_refused(limits):
    with pytest.raises(ValueError, match="challenge < review < decline"):
        Thresholds(*limits)


def test_scores_of_two_runtimes_meet_the_threshold_alike():
    """D23: float32 and float64 images of one score round to the same number."""
    low = rounded_scores(np.array([0.29999995], dtype=np.float32))
    assert low.dtype == np.float64 and low[0] == 0.3
    assert recommended(low[0])[0] == CHALLENGE
    assert np.isnan(rounded_scores(np.array([np.nan], dtype=np.float32))[0])


def test_numbers_are_those_of_the_contract():
    from finmesh.risk.v1 import decision_pb2 as pb

    assert {f"OUTCOME_{o.name}": int(o) for o in Outcome} == {k: v for k, v in pb.Outcome.items() if v}
    assert {f"CHANNEL_MODE_{m.name}": int(m) for m in ChannelMode} == {k: v for k, v in pb.ChannelMode.items() if v}
    assert module.SCORE_DECIMALS == 6
