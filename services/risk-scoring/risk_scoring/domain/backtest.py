"""Two rule sets over the same recorded columns: what would change if the candidate went live. Rules must pass this before activation.

Outcomes are compared before channel mode and decline cap, which depend on the moment and not on the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from risk_scoring.domain.columnar import Array
from risk_scoring.domain.outcome import Bool, Float64, Int8, Outcome, recommend
from risk_scoring.domain.rules import RuleSet


@dataclass(frozen=True)
class Recorded:
    """n decisions of the past. ``columns``: rule inputs; ``score``: NaN without a model; ``thresholds``: (3,) or (n, 3).

    ``fraud``: what is known by now; unknown counts as genuine.
    """

    columns: Mapping[str, Array]
    score: Float64
    blocked: Bool
    trusted: Bool
    thresholds: Float64
    reference_amount_minor: npt.NDArray[np.int64]
    fraud: Bool

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True)
class RuleSetReport:
    """One rule set: decisions and amounts (minor units of the reference currency) by outcome, and what it did to known fraud.

    Fraud is caught when the outcome is more than approve; friction is what genuine transactions met.
    """

    version: str
    count: dict[Outcome, int]
    amount_minor: dict[Outcome, int]
    fraud_caught: int
    fraud_missed: int
    fraud_caught_minor: int
    fraud_missed_minor: int
    genuine_with_friction: int
    hits_by_rule: dict[str, int]
    fraud_hits_by_rule: dict[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``moved``: how many decisions went from one outcome (of the present set) to another (of the candidate), changes only."""

    present: RuleSetReport
    candidate: RuleSetReport
    moved: dict[tuple[Outcome, Outcome], int]
    fraud_gained: int
    fraud_lost: int


def compare(present: RuleSet, candidate: RuleSet, recorded: Recorded) -> Comparison:
    """Run both sets over the record. Raises ValueError when a needed column is absent or has another length."""
    before, first = _report(present, recorded)
    after, second = _report(candidate, recorded)
    pairs, counts = np.unique(np.stack([before, after])[:, before != after], axis=1, return_counts=True)
    moved = {(Outcome(int(old)), Outcome(int(new))): int(count) for (old, new), count in zip(pairs.T, counts, strict=True)}
    caught_before, caught_after = before > Outcome.APPROVE, after > Outcome.APPROVE
    return Comparison(
        first,
        second,
        moved,
        fraud_gained=int((recorded.fraud & caught_after & ~caught_before).sum()),
        fraud_lost=int((recorded.fraud & caught_before & ~caught_after).sum()),
    )


def _report(rules: RuleSet, recorded: Recorded) -> tuple[Int8, RuleSetReport]:
    result = rules.evaluate(recorded.columns, len(recorded))
    outcome = recommend(recorded.score, result.action, recorded.blocked, recorded.trusted, recorded.thresholds).outcome
    amounts, fraud, caught = recorded.reference_amount_minor, recorded.fraud, outcome > Outcome.APPROVE
    report = RuleSetReport(
        version=rules.version,
        count={each: int((outcome == each).sum()) for each in Outcome},
        amount_minor={each: int(amounts[outcome == each].sum()) for each in Outcome},
        fraud_caught=int((fraud & caught).sum()),
        fraud_missed=int((fraud & ~caught).sum()),
        fraud_caught_minor=int(amounts[fraud & caught].sum()),
        fraud_missed_minor=int(amounts[fraud & ~caught].sum()),
        genuine_with_friction=int((~fraud & caught).sum()),
        hits_by_rule=dict(zip(rules.ids, result.hits.sum(axis=0).tolist(), strict=True)),
        fraud_hits_by_rule=dict(zip(rules.ids, result.hits[fraud].sum(axis=0).tolist(), strict=True)),
    )
    return outcome, report
