"""Rules are loaded for service by deciding once with them: what was accepted must not fail later, when nobody can refuse it any more.

A batch of the ends of every column goes through the code that evaluates in service: rules and reasons, the trial of shadow rules, the
comparison on history. The checks while compiling find what is wrong and where; this finds what they were not made for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from risk_scoring.domain.backtest import Recorded, compare
from risk_scoring.domain.columnar import Array
from risk_scoring.domain.decision_table import invalid
from risk_scoring.domain.features import COUNT, NAMES, NEVER_S
from risk_scoring.domain.history import PastDecision, Slice
from risk_scoring.domain.one_row import PlainRow
from risk_scoring.domain.rates import RateTable
from risk_scoring.domain.request_columns import KNOWN_COLUMNS
from risk_scoring.domain.rules import RuleSet
from risk_scoring.domain.shadow import Evidence, shadow_changes
from risk_scoring.domain.transaction import CHANNEL_NAMES, MAX_AMOUNT_MINOR

_LARGEST = float(np.finfo(np.float32).max)
_VALUES = (0.0, 1.0, -1.0, np.nan, 0.5, NEVER_S, 1e13, _LARGEST, -_LARGEST, 1e-45, np.inf, -np.inf)
_AMOUNTS = (0, 1, -1, 100, MAX_AMOUNT_MINOR, -MAX_AMOUNT_MINOR)
_TEXTS = (("", "", "", "a"), ("CNY", "CN", "5411", "bank-a"), ("XXX", "ZZ", "0000", "z" * 40), ("甲", "乙", "丙", "丁"))
_ROWS = 48
_RATES = RateTable("probe", "CNY", {"CNY": Fraction(1)})


def load_for_service(document: bytes, look: Callable[[], None] = lambda: None) -> RuleSet:
    """Return the rule set of a JDM document that decided the probe. Raises InvalidArgument (INVALID_RULE_SET), and what ``look`` raises."""
    try:
        rules = RuleSet.load(document, KNOWN_COLUMNS, look)
    except RecursionError:
        raise invalid("document", "is nested too deeply") from None
    for recorded in _batches():
        look()
        try:
            _decide(rules, recorded, look)
        except Exception as error:  # whatever it is, it must not happen in service
            raise invalid("document", f"the rules fail on a batch of {len(recorded)} for a probe: {type(error).__name__}") from error
    return rules


def _decide(rules: RuleSet, recorded: Recorded, look: Callable[[], None]) -> None:
    n = len(recorded)
    result = rules.evaluate(recorded.columns, n)
    for row in range(n):
        look()
        result.names(row), result.reasons(row)
    if n == 1:
        rules.evaluate(PlainRow({name: column[0].item() for name, column in recorded.columns.items()}), 1)
    evidence = Evidence(recorded.columns, recorded.score, recorded.blocked, recorded.trusted, recorded.thresholds)
    if shadow_changes(rules, evidence, np.ones(n, dtype=np.int8)) is None:
        raise ValueError("the rules fail on trial")
    compare(rules, rules, recorded)


def _batches() -> tuple[Recorded, ...]:
    """Return many rows, the same without any feature, one row, none."""
    whole = [_row(number) for number in range(_ROWS)]
    many, one, none = (Slice.of(rows, _RATES, "").recorded for rows in (whole, whole[:1], ()))
    request_only: Mapping[str, Array] = {name: column for name, column in many.columns.items() if name not in NAMES or name == "channel"}
    return many, replace(many, columns=request_only), one, none


def _row(number: int) -> PastDecision:
    """Row ``number``: the first rows are the same value in every feature, later ones each a different."""
    step = number // len(_VALUES)
    features = np.array([_VALUES[(number + step * position) % len(_VALUES)] for position in range(COUNT)], dtype="<f4")
    currency, country, mcc, tenant = _TEXTS[number % len(_TEXTS)]
    return PastDecision(
        decision_id=number.to_bytes(16, "big"),
        tenant=tenant,
        decided_time_s=float(number),
        channel=number % (len(CHANNEL_NAMES) - 1) + 1,
        currency=currency,
        country=country,
        mcc=mcc,
        hour=number % 24,
        has_device=number % 2 == 0,
        blocked=number % 5 == 0,
        trusted=number % 3 == 0,
        reference_amount_minor=_AMOUNTS[number % len(_AMOUNTS)],
        score=_VALUES[3] if number % 7 == 0 else number / _ROWS,
        thresholds=(0.3, 0.6, 0.9),
        features=b"" if number == 1 else features.tobytes(),
        feature_schema=1,
        rule_set="",
        recommended=number % 4 + 1,
        has_rule_inputs=True,
    )
