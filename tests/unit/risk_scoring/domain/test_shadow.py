"""Shadow rules say what they would do and do nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from risk_scoring.domain.history import Slice
from risk_scoring.domain.outcome import Outcome
from risk_scoring.domain.request_columns import KNOWN_COLUMNS
from risk_scoring.domain.rules import RuleSet
from risk_scoring.domain.shadow import Evidence, shadow_changes

from tests.unit.risk_scoring.domain.test_history import RATES
from tests.unit.risk_scoring.rule_sets import changed, past


def evidence() -> Evidence:
    """Amounts of 50, 150 and 250; the last one blocked."""
    made = Slice.of([past(n, reference_amount_minor=5_000 + 10_000 * n, blocked=n == 2) for n in range(3)], RATES, "").recorded
    return Evidence(made.columns, made.score, made.blocked, made.trusted, made.thresholds)


def test_changes_are_counted_by_pair() -> None:
    shadow = RuleSet.load(changed("trial", amount="> 100"), KNOWN_COLUMNS)
    live = np.array([Outcome.APPROVE, Outcome.APPROVE, Outcome.DECLINE], dtype=np.int8)
    assert shadow_changes(shadow, evidence(), live) == {
        (Outcome.APPROVE, Outcome.APPROVE): 1,
        (Outcome.APPROVE, Outcome.REVIEW): 1,
        (Outcome.DECLINE, Outcome.DECLINE): 1,
    }


@pytest.mark.parametrize("failure", [ValueError("column"), IndexError(), TypeError()])
def test_no_failure_of_theirs_gets_out(failure: Exception) -> None:
    def evaluate(columns: Any, n: int) -> Any:
        raise failure

    broken: Any = SimpleNamespace(evaluate=evaluate)
    assert shadow_changes(broken, evidence(), np.ones(3, dtype=np.int8)) is None
