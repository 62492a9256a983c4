"""One row in plain numbers says what arrays say, to the bit: any program, any row; and the whole combiner on real transactions."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meshkit.errors import InvalidArgument
from risk_scoring.domain import one_row
from risk_scoring.domain.one_row import OneRow, PlainRow
from risk_scoring.domain.outcome import ChannelMode, Outcome, RuleAction, act, cappable, decide_one, recommend
from risk_scoring.domain.request_columns import KNOWN_COLUMNS
from risk_scoring.domain.rules import RuleSet

from tests.unit.risk_scoring.domain.test_rule_kinds import REQUEST, document
from tests.unit.risk_scoring.rule_sets import RULES

NUMBERS = ["c_count_1h", "c_amount_z_30d", "amount", "hour"]  # two float32, two float64
LIMITS = st.sampled_from([0, 1, 3, 5, 7.1, 0.1, 0.25, 1e-7, 16_777_217, 100, 1e30, 3.3333333, -2, -0.1])
VALUES = st.sampled_from([0.0, 1.0, 3.0, 5.0, 7.1, 0.1, 0.25, 1e-7, 16_777_216.0, 1e30, -2.0, -0.1, 3.3333333, float("nan"), 3e38])
OPERATORS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def number(column: str, value: float) -> Any:
    """What a column of that name holds."""
    return {"hour": np.int8, "amount": np.float64}.get(column, np.float32)(value)


@st.composite
def terms(draw: st.DrawFn) -> str:
    """A number: a column, or columns and constants in arithmetic."""
    left = draw(st.sampled_from(NUMBERS))
    if draw(st.booleans()):
        return left
    right = draw(
        st.one_of(st.sampled_from([*NUMBERS, "has_device"]), LIMITS.map(lambda value: f"({value!r})" if value < 0 else repr(value)))
    )
    return f"({left} {draw(st.sampled_from('+-*/'))} {right})"


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    """A condition over the columns."""
    if depth and draw(st.booleans()):
        left, right = draw(conditions(depth - 1)), draw(conditions(depth - 1))
        return f"({left} {draw(st.sampled_from(['and', 'or']))} {right})"
    kind = draw(st.sampled_from(["number", "number", "two", "text", "flag", "missing", "not"]))
    if kind == "number":
        return f"{draw(terms())} {draw(OPERATORS)} {draw(LIMITS.filter(lambda value: value >= 0))!r}"
    if kind == "two":
        return f"{draw(terms())} {draw(OPERATORS)} {draw(terms())}"
    if kind == "text":
        return f'channel {draw(st.sampled_from(["==", "!="]))} "{draw(st.sampled_from(["atm", "transfer", "转账"]))}"'
    if kind == "missing":
        return f"{draw(st.sampled_from(['c_count_1h', 'amount']))} {draw(st.sampled_from(['==', '!=']))} null"
    if kind == "not":
        return f"not({draw(conditions(0))})"
    return draw(st.sampled_from(["has_device", "not(has_device)", "has_device == false"]))


ROWS = st.fixed_dictionaries(
    {
        "c_count_1h": VALUES,
        "c_amount_z_30d": VALUES,
        "amount": VALUES,
        "hour": st.integers(0, 23),
        "channel": st.sampled_from(["atm", "transfer", "转账", ""]),
        "has_device": st.booleans(),
    }
)


def arrays(row: dict[str, Any]) -> dict[str, Any]:
    """A row as columns of one element."""
    return {name: np.array([number(name, value) if name in NUMBERS else value]) for name, value in row.items()}


def plain(row: dict[str, Any]) -> PlainRow:
    """A row as the combiner gives it: features were float32 before they became plain numbers."""
    return PlainRow({name: float(number(name, value)) if name in NUMBERS else value for name, value in row.items()})


def loaded(*cells: str) -> RuleSet:
    """A rule for each condition. Conditions that are refused prove nothing."""
    return RuleSet.load(document(*cells), KNOWN_COLUMNS)


def check_same(rules: RuleSet, row: dict[str, Any]) -> None:
    """Everything that is said of a row."""
    one, batch = rules.evaluate(plain(row), 1), rules.evaluate(arrays(row), 1)
    assert one.names(0) == batch.names(0), row
    assert one.reasons(0) == batch.reasons(0)
    for name in ("hits", "weight", "action", "typology_scores"):
        assert getattr(one, name).tolist() == getattr(batch, name).tolist()
        assert getattr(one, name).dtype == getattr(batch, name).dtype


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.lists(conditions(), min_size=1, max_size=4), st.lists(ROWS, min_size=1, max_size=5))
def test_any_rules_say_of_one_row_what_they_say_of_a_batch(cells: list[str], rows: list[dict[str, Any]]) -> None:
    try:
        rules = loaded(*cells)
    except InvalidArgument:
        return
    assert rules._one_row is not None
    for row in rows:
        check_same(rules, REQUEST | row)


CLOSE = [
    "c_count_1h == 0.1",
    "c_count_1h >= 0.1",
    "0.1 < c_count_1h",
    "c_count_1h + 0.1 == 0.2",
    "c_count_1h * 3 == 0.3",
    "c_count_1h / 3 > 0.03333",
]


@pytest.mark.parametrize("cell", CLOSE)
@pytest.mark.parametrize("value", [0.1, 0.2, 0.3, 1 / 3, 0.0, math.nan])
def test_what_lies_on_a_float32(cell: str, value: float) -> None:
    check_same(loaded(cell), REQUEST | {"c_count_1h": value})


def test_constants_are_rounded_to_the_column_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one thing that plain numbers would get wrong."""
    row = REQUEST | {"c_count_1h": 0.1}
    check_same(loaded(CLOSE[0]), row)
    monkeypatch.setattr(OneRow, "_rounded", lambda self, slot, wide: slot)
    with pytest.raises(AssertionError):
        check_same(loaded(CLOSE[0]), row)


def test_the_first_of_a_table_alone() -> None:
    rules = RuleSet.load(document("amount > 1", "amount > 2", "amount > 3").replace(b'"collect"', b'"first"'), KNOWN_COLUMNS)
    for amount in (0.0, 1.5, 5.0):
        check_same(rules, REQUEST | {"amount": amount})
    assert rules.evaluate(plain(REQUEST | {"amount": 5.0}), 1).names(0) == ("x0",)


@pytest.mark.parametrize("missing", ["channel", "has_device"])
def test_texts_and_flags_are_required(missing: str) -> None:
    rules = loaded('channel == "atm" and has_device and c_count_1h > 1')
    row = {name: value for name, value in REQUEST.items() if name != missing}
    with pytest.raises(ValueError, match=f"column {missing} is required"):
        rules.evaluate(plain(row), 1)


def test_a_program_without_a_twin_goes_through_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_row, "_COMPARISONS", {})
    rules = loaded("amount > 5 and c_count_1h > 0.1")
    assert rules._one_row is None
    check_same(rules, REQUEST | {"amount": 6.0, "c_count_1h": 0.2})
    check_same(rules, REQUEST | {"amount": 6.0, "c_count_1h": 0.1})


@pytest.mark.parametrize("path", sorted(RULES.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_rules_have_a_twin(path: Any) -> None:
    assert RuleSet.load(path.read_bytes(), KNOWN_COLUMNS)._one_row is not None


def test_every_way_to_an_outcome() -> None:
    limits = (0.2, 0.5, 0.9)
    scores = [math.nan, 0.0, 0.2, 0.499999, 0.5, 0.9, 1.0]
    for score, action, blocked, trusted, mode, default in product(scores, RuleAction, [False, True], [False, True], ChannelMode, Outcome):
        advice = recommend(np.array([score]), np.array([action], np.int8), np.array([blocked]), np.array([trusted]), np.array(limits))
        acting = act(advice.outcome, np.array([mode], np.int8), np.array([default], np.int8))
        expected = int(advice.outcome[0]), int(acting[0]), bool(cappable(acting, advice.hard, np.array([mode], np.int8))[0])
        assert decide_one(score, int(action), blocked, trusted, limits, int(mode), int(default)) == expected
