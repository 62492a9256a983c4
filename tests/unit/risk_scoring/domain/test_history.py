"""Records as columns: the same as those of the request, gaps included; and what counts as known fraud."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from risk_scoring.domain.features import COUNT, NAMES
from risk_scoring.domain.history import KnownFraud, PastLabel, Slice
from risk_scoring.domain.rates import RateTable
from risk_scoring.domain.request_columns import KNOWN_COLUMNS

from tests.unit.risk_scoring.rule_sets import RULES, past

RATES = RateTable.from_document(yaml.safe_load((RULES / "rates.yaml").read_text()))


def test_all_columns_of_rules_are_there_with_their_values() -> None:
    vector = np.arange(COUNT, dtype="<f4")
    decisions = [
        past(1, features=vector.tobytes(), country="", mcc="", channel=3, hour=23, has_device=False, blocked=True, trusted=True),
        past(2, features=b"", reference_amount_minor=123_456, tenant="bank-b"),
    ]
    made = Slice.of(decisions, RATES, "").recorded
    assert set(made.columns) == KNOWN_COLUMNS
    assert [made.columns[name][0] for name in NAMES if name != "channel"] == [n for n in range(COUNT) if NAMES[n] != "channel"]
    assert np.isnan([made.columns[name][1] for name in NAMES if name != "channel"]).all()
    request = {name: made.columns[name].tolist() for name in KNOWN_COLUMNS - set(NAMES) | {"channel"}}
    assert request == {
        "amount": [100.0, 1234.56], "channel": ["transfer", "card_present"], "currency": ["CNY", "CNY"], "country": ["", "CN"],
        "mcc": ["", "5411"], "tenant": ["bank-a", "bank-b"], "hour": [23, 12], "has_device": [False, True], "block_listed": [True, False],
        "trusted_payee": [True, False],
    }  # fmt: skip


def test_outcomes_are_compared_only_with_those_of_the_same_rules() -> None:
    made = Slice.of([past(1, rule_set="7", recommended=3), past(2, rule_set="6", recommended=3)], RATES, "7").recorded
    assert made.recommended.tolist() == [3, 0]


@pytest.mark.parametrize(
    ("changes", "comparable"),
    [
        ({}, True),
        ({"features": b""}, True),
        ({"features": b"", "feature_schema": 0}, True),
        ({"has_rule_inputs": False}, False),
        ({"feature_schema": 99}, False),
        ({"features": bytes(COUNT * 4 - 4)}, False),
        ({"thresholds": ()}, False),
    ],
)
def test_half_of_the_evidence_is_none(changes: dict[str, object], comparable: bool) -> None:
    assert past(1, **changes).comparable is comparable


OURS, OTHERS = b"1" * 16, b"2" * 16


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ([("a", OURS, 1, 10)], True),
        ([("a", OURS, 0, 10)], False),
        ([("a", OURS, 1, 10), ("b", OURS, 0, 11)], True),
        ([("a", OURS, 1, 10), ("b", OURS, -1, 11)], False),
        ([("a", OURS, 1, 10), ("a", OURS, 1, 10), ("b", OURS, -1, 11)], False),
        ([("a", OURS, 1, 101)], False),
        ([("a", OTHERS, 1, 10)], False),
    ],
    ids=["fraud", "genuine", "both", "retracted", "repeated", "known later", "not of ours"],
)
def test_known_fraud(labels: list[tuple[str, bytes, int, float]], known: bool) -> None:
    fraud = KnownFraud({OURS}, now_s=100)
    for label in labels:
        fraud.add(PastLabel(*label))
    assert fraud.decisions() == ({OURS} if known else set())
