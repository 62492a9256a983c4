"""Comparing rule sets over the past: outcomes, amounts, fraud caught and missed."""

import json

import numpy as np
import pytest
from risk_scoring.domain.backtest import Recorded, compare
from risk_scoring.domain.outcome import Outcome
from risk_scoring.domain.rules import RuleSet

APPROVE, CHALLENGE, REVIEW, DECLINE = Outcome


def rules(limit, action):
    outputs = [{"id": f, "name": f, "field": f} for f in ("rule", "reason", "weight", "action")]
    row = {"a": f"> {limit}", "rule": '"large"', "reason": '"R_AMOUNT_HIGH"', "weight": "10", "action": f'"{action}"'}
    content = {"hitPolicy": "collect", "inputs": [{"id": "a", "field": "amount"}], "outputs": outputs, "rules": [row], "outputPath": "t"}
    nodes = [
        {"id": "i", "type": "inputNode"},
        {"id": "t", "type": "decisionTableNode", "content": content},
        {"id": "o", "type": "outputNode"},
    ]
    edges = [{"sourceId": "i", "targetId": "t"}, {"sourceId": "t", "targetId": "o"}]
    model = {"contentType": "application/vnd.gorules.decision", "version": f"{limit}", "nodes": nodes, "edges": edges}
    return RuleSet.load(json.dumps(model).encode())


RECORDED = Recorded(
    columns={"amount": np.array([5.0, 15.0, 25.0, 25.0, 5.0, 25.0])},
    score=np.array([0.1, 0.1, 0.1, np.nan, 0.95, 0.1]),
    blocked=np.array([False] * 5 + [True]),
    trusted=np.array([False] * 6),
    thresholds=np.array([0.3, 0.6, 0.9]),
    reference_amount_minor=np.array([500, 1500, 2500, 2500, 500, 2500]),
    fraud=np.array([False, True, True, False, True, False]),
    recommended=np.array([APPROVE, 0, REVIEW, DECLINE, 0, DECLINE], dtype=np.int8),
)


def test_what_would_change():
    result = compare(rules(20, "alert"), rules(10, "block"), RECORDED)
    assert result.present.count == {APPROVE: 2, CHALLENGE: 0, REVIEW: 2, DECLINE: 2}
    assert result.candidate.count == {APPROVE: 1, CHALLENGE: 0, REVIEW: 0, DECLINE: 5}
    assert result.present.amount_minor == {APPROVE: 2000, CHALLENGE: 0, REVIEW: 5000, DECLINE: 3000}
    assert result.moved == {(APPROVE, DECLINE): 1, (REVIEW, DECLINE): 2}
    assert (result.fraud_gained, result.fraud_lost) == (1, 0)
    assert (result.present.fraud_caught, result.present.fraud_missed) == (2, 1)
    assert (result.present.fraud_caught_minor, result.present.fraud_missed_minor) == (3000, 1500)
    assert (result.candidate.fraud_caught, result.candidate.fraud_missed) == (3, 0)
    assert (result.present.genuine_with_friction, result.candidate.genuine_with_friction) == (2, 2)
    assert (result.present.hits_by_rule, result.candidate.hits_by_rule) == ({"large": 3}, {"large": 4})
    assert (result.present.fraud_hits_by_rule, result.candidate.fraud_hits_by_rule) == ({"large": 1}, {"large": 2})
    assert result.candidate.version.startswith("10+")


def test_the_other_way_round_loses():
    result = compare(rules(10, "block"), rules(20, "alert"), RECORDED)
    assert (result.fraud_gained, result.fraud_lost) == (0, 1)
    assert result.moved == {(DECLINE, APPROVE): 1, (DECLINE, REVIEW): 2}


def test_the_same_set_moves_nothing():
    result = compare(rules(20, "alert"), rules(20, "alert"), RECORDED)
    assert result.moved == {} and result.present == result.candidate


def test_a_column_that_was_not_recorded_is_an_error():
    short = Recorded(**{**vars(RECORDED), "columns": {"amount": np.zeros(2)}})
    with pytest.raises(ValueError, match="shape"):
        compare(rules(1, "none"), rules(2, "none"), short)
