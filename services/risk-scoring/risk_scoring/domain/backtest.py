"""Two rule sets over the same recorded columns: what would change if the candidate went live. Rules must pass this before activation.

Outcomes are compared before channel mode and decline cap, which depend on the moment and not on the rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from risk_scoring.domain.columnar import Array
from risk_scoring.domain.outcome import Bool, Float64, Int8, Outcome, recommend
from risk_scoring.domain.rules import RuleSet

_Key = TypeVar("_Key")


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
    recommended: Int8
    """Outcome on record where the present set made it, else 0."""

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

    def __add__(self, other: Self) -> Self:
        """Both reports as one; they must be of the same rule set."""
        return type(self)(
            self.version,
            _sum(self.count, other.count),
            _sum(self.amount_minor, other.amount_minor),
            self.fraud_caught + other.fraud_caught,
            self.fraud_missed + other.fraud_missed,
            self.fraud_caught_minor + other.fraud_caught_minor,
            self.fraud_missed_minor + other.fraud_missed_minor,
            self.genuine_with_friction + other.genuine_with_friction,
            _sum(self.hits_by_rule, other.hits_by_rule),
            _sum(self.fraud_hits_by_rule, other.fraud_hits_by_rule),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """``moved``: how many decisions went from one outcome (of the present set) to another (of the candidate), changes only.

    ``reproduced``: how many of the ``made_by_present`` decisions come out as they were recorded.
    """

    present: RuleSetReport
    candidate: RuleSetReport
    moved: dict[tuple[Outcome, Outcome], int]
    fraud_gained: int
    fraud_lost: int
    made_by_present: int
    reproduced: int

    def __add__(self, other: Self) -> Self:
        """Both comparisons as one; they must be of the same rule sets."""
        return type(self)(
            self.present + other.present,
            self.candidate + other.candidate,
            _sum(self.moved, other.moved),
            self.fraud_gained + other.fraud_gained,
            self.fraud_lost + other.fraud_lost,
            self.made_by_present + other.made_by_present,
            self.reproduced + other.reproduced,
        )


def compare(present: RuleSet, candidate: RuleSet, recorded: Recorded) -> Comparison:
    """Run both sets over the record. Raises ValueError when a needed column is absent or has another length."""
    before, first = _report(present, recorded)
    after, second = _report(candidate, recorded)
    changed = before != after
    pairs = Counter(zip(before[changed].tolist(), after[changed].tolist(), strict=True))
    moved = {(Outcome(old), Outcome(new)): count for (old, new), count in sorted(pairs.items())}
    by_present = recorded.recommended > 0
    caught_before, caught_after = before > Outcome.APPROVE, after > Outcome.APPROVE
    return Comparison(
        first,
        second,
        moved,
        fraud_gained=int((recorded.fraud & caught_after & ~caught_before).sum()),
        fraud_lost=int((recorded.fraud & caught_before & ~caught_after).sum()),
        made_by_present=int(by_present.sum()),
        reproduced=int((by_present & (recorded.recommended == before)).sum()),
    )


def _sum(left: Mapping[_Key, int], right: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in (*left, *(key for key in right if key not in left))}


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
