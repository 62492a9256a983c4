"""Shadow rules: a rule set that is evaluated beside the one in force, on the same columns, and decides nothing.

What it would have changed is counted, before channel mode and decline cap. Surprising: no error of it may reach a decision, so any is an
answer of its own here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from risk_scoring.domain.columnar import Array
from risk_scoring.domain.outcome import Bool, Float64, Int8, Outcome, recommend
from risk_scoring.domain.rules import RuleSet

Changes = Mapping[tuple[Outcome, Outcome], int]
ShadowObserver = Callable[[str, Changes | None], None]
"""Takes the version of the shadow rules and their changes of one batch; None when they failed."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a batch was decided on, n rows."""

    columns: Mapping[str, Array]
    score: Float64
    blocked: Bool
    trusted: Bool
    thresholds: Float64  # (n, 3)


def shadow_changes(shadow: RuleSet, evidence: Evidence, outcome: Int8) -> Changes | None:
    """Count pairs of (outcome of the rules in force, outcome of the shadow rules), unchanged ones too; None when the shadow rules failed.

    ``outcome`` (n,): what the rules in force recommend.
    """
    try:
        action = shadow.evaluate(evidence.columns, len(outcome)).action
    except Exception:  # whatever is wrong with a set that is on trial, the decision goes on
        return None
    theirs = recommend(evidence.score, action, evidence.blocked, evidence.trusted, evidence.thresholds).outcome
    pairs = Counter(zip(outcome.tolist(), theirs.tolist(), strict=True))
    return {(Outcome(old), Outcome(new)): count for (old, new), count in pairs.items()}
