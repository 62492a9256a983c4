"""zen-engine is the oracle: for every shipped table and for random ones, the compiled rules fire exactly where the engine says so.

Features are float32: the engine is given their shortest decimal form, which is what a person would write.
"""

import json
from collections import defaultdict
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import zen
from hypothesis import HealthCheck, given, settings
from risk_scoring.domain.expressions import Arithmetic, Both, Column, Compare, Either, Literal, Not, columns_of
from risk_scoring.domain.features import NAMES
from risk_scoring.domain.request_columns import REQUEST_COLUMNS
from risk_scoring.domain.rules import RuleSet

RULES = Path(__file__).parents[4] / "services/risk-scoring/rules"
SHIPPED = sorted(RULES.glob("*.json"))


def literals(node):
    """Yield (column, literal) for every comparison."""
    match node:
        case Compare(_, left, right):
            values = [n.value for side in (left, right) for n in leaves(side) if isinstance(n, Literal)]
            for name in columns_of(node):
                yield from ((name, value) for value in values)
        case Both(left, right) | Either(left, right):
            yield from literals(left)
            yield from literals(right)
        case Not(operand):
            yield from literals(operand)


def leaves(node):
    match node:
        case Arithmetic(_, left, right):
            yield from leaves(left)
            yield from leaves(right)
        case _:
            yield node


def row_strategy(rules: RuleSet):
    """Rows whose values lie on, below and above what the rules compare with; features may be missing."""
    values = defaultdict(set)
    for rule in rules.rules:
        for condition in rule.conditions:
            for name, value in literals(condition.node):
                values[name].add(value)
    columns = {}
    for name, kind in rules.columns.items():
        if kind == "flag":
            columns[name] = st.booleans()
        elif kind == "text":
            columns[name] = st.sampled_from([*sorted(values[name]), "其他", ""])
        else:
            near = sorted({v + d for v in values[name] if v is not None for d in (-1, 0, 1)} | {0})
            numbers = st.sampled_from(near) | st.integers(0, 100_000)
            columns[name] = numbers if name in REQUEST_COLUMNS else numbers | st.none()
    return st.fixed_dictionaries(columns)


def as_columns(rules: RuleSet, rows):
    columns = {}
    for name, kind in rules.columns.items():
        values = [row[name] for row in rows]
        if kind == "number":
            dtype = np.float64 if name == "amount" else np.float32
            columns[name] = np.array([np.nan if v is None else v for v in values], dtype=dtype)
        else:
            columns[name] = np.array(values)
    return columns


def oracle(document: bytes):
    decision = zen.ZenEngine().create_decision(document.decode())

    def names(row):
        result = decision.evaluate(row)["result"]
        tables = (result[path] for path in sorted(result))
        return {
            hit["rule"] for table in tables for hit in (table if isinstance(table, list) else [table]) if {"rule", "reason"} <= hit.keys()
        }

    return names


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_tables_fire_as_zen_says(path):
    document = path.read_bytes()
    rules = RuleSet.load(document, {*NAMES, *REQUEST_COLUMNS})
    expected = oracle(document)
    fired = set()

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(st.lists(row_strategy(rules), min_size=1, max_size=6))
    def check(rows):
        result = rules.evaluate(as_columns(rules, rows), len(rows))
        for position, row in enumerate(rows):
            assert set(result.names(position)) == expected(row)
            fired.update(result.names(position))

    check()
    assert len(fired) > 5, "rows that fire nothing prove nothing"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_rule_can_fire_and_agrees(path):
    """Each rule is met by a row made for it, so that no row of a table goes untested."""
    document = path.read_bytes()
    rules = RuleSet.load(document, {*NAMES, *REQUEST_COLUMNS})
    expected = oracle(document)
    candidates = [0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 100, 900, 2_000, 6_000, 25_000, 60_000, 600_000]
    rng = np.random.default_rng(7)
    unmet = {rule.id for rule in rules.rules}
    for _ in range(4000):
        base = rules.rules[rng.integers(len(rules.rules))]
        row = {}
        for name, kind in rules.columns.items():
            if kind == "flag":
                row[name] = bool(rng.random() < 0.5)
            elif kind == "text":
                words = [v for rule in rules.rules for c in rule.conditions for n, v in literals(c.node) if n == name]
                row[name] = str(rng.choice([*words, "ZZ"]))
            else:
                near = [v for c in base.conditions for n, v in literals(c.node) if n == name]
                row[name] = float(rng.choice(near)) if near and rng.random() < 0.7 else float(rng.choice(candidates))
        result = rules.evaluate(as_columns(rules, [row]), 1)
        if unmet & set(result.names(0)):
            assert set(result.names(0)) == expected(row)
            unmet -= set(result.names(0))
        if not unmet:
            break
    assert not unmet


def table(rows, fields=("x", "y", "channel", "listed", ""), policy="collect"):
    """A one-table model; ``rows`` are tuples of cells."""
    inputs = [{"id": f"i{k}", "name": field or "condition", "field": field} for k, field in enumerate(fields)]
    outputs = [{"id": f"o_{f}", "name": f, "field": f} for f in ("rule", "reason", "weight", "action")]
    rules = [
        {
            "_id": f"r{k}",
            **{f"i{c}": cell for c, cell in enumerate(cells)},
            "o_rule": f'"r{k}"',
            "o_reason": '"R_VELOCITY"',
            "o_weight": "1",
        }
        for k, cells in enumerate(rows)
    ]
    content = {"hitPolicy": policy, "inputs": inputs, "outputs": outputs, "rules": rules, "outputPath": "t", "passThrough": False}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}},
        {"id": "t", "type": "decisionTableNode", "name": "t", "position": {"x": 0, "y": 0}, "content": content},
        {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 0, "y": 0}},
    ]
    edges = [
        {"id": "a", "type": "edge", "sourceId": "in", "targetId": "t"},
        {"id": "b", "type": "edge", "sourceId": "t", "targetId": "out"},
    ]
    model = {"contentType": "application/vnd.gorules.decision", "version": "t", "nodes": nodes, "edges": edges}
    return json.dumps(model, ensure_ascii=False).encode()


NUMBER = st.sampled_from(["0", "1", "2.5", "-3", "10", "0.7", "1_000"])
OPERATOR = st.sampled_from(["<", "<=", ">", ">=", "=="])
RANGE = st.builds(lambda a, low, high, b: f"{a}{low}..{high}{b}", st.sampled_from("[("), NUMBER, NUMBER, st.sampled_from("])"))
LIST = st.lists(NUMBER, min_size=1, max_size=3).map(lambda items: f"in [{', '.join(items)}]")
UNARY_TERM = st.builds(lambda o, n: f"{o} {n}", OPERATOR, NUMBER) | RANGE | LIST | NUMBER | RANGE.map(lambda r: f"in {r}")
UNARY = (
    UNARY_TERM
    | st.builds(lambda a, word, b: f"{a}{word}{b}", UNARY_TERM, st.sampled_from([" and ", " or ", ", "]), UNARY_TERM)
    | st.builds(lambda a, b, c: f"{a} and {b} or {c}", UNARY_TERM, UNARY_TERM, UNARY_TERM)
    | st.sampled_from(["null", "!= null", "== null or > 1"])
)
TEXT = st.sampled_from(['"atm"', "'转账', \"atm\"", '!= "atm"', 'not in ["atm", "转账"]', 'in ["ecommerce"]', ""])
FLAG = st.sampled_from(["true", "false", "== true", "!= true", ""])
TERM = (
    st.builds(lambda c, o, n: f"{c} {o} {n}", st.sampled_from(["x", "y", "x + y", "x * 2", "-y", "x - y / 4"]), OPERATOR, NUMBER)
    | st.sampled_from(["listed", "not listed", 'channel == "atm"', 'channel in ["转账"]', "not (listed and x > 1)"])
    | st.sampled_from(["x in [0..10]", "y not in (0..2.5)"])
)  # fmt: skip
EXPRESSION = (
    st.just("")
    | TERM
    | st.builds(lambda a, w, b: f"{a} {w} {b}", TERM, st.sampled_from(["and", "or"]), TERM)
    | st.builds(lambda a, b, c: f"not ({a} and {b}) or {c}", TERM, TERM, TERM)
)
QUOTIENT = st.builds(lambda o, n: f"x / y {o} {n}", OPERATOR, NUMBER)  # alone: a missing quotient ends the engine's whole cell
CELLS = (UNARY, UNARY, TEXT, FLAG, EXPRESSION | QUOTIENT)
SPARSE = st.tuples(*(cell if k % 2 else st.just("") | cell for k, cell in enumerate(CELLS)))  # now and then a row with many cells
ALONE = st.integers(0, len(CELLS) - 1).flatmap(
    lambda only: st.tuples(*(cell if k == only else st.just("") for k, cell in enumerate(CELLS)))
)
ROWS = st.lists((ALONE | ALONE | SPARSE).filter(any), min_size=1, max_size=5)
VALUE = st.sampled_from([-3.0, 0.0, 0.5, 1.0, 2.5, 10.0, 1000.0, 4.0])
DATA = st.fixed_dictionaries(
    {"x": VALUE, "y": VALUE, "channel": st.sampled_from(["atm", "转账", "ecommerce", ""]), "listed": st.booleans()}
)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.lists(DATA, min_size=1, max_size=4), st.sampled_from(["collect", "first"]))
def test_random_tables_fire_as_zen_says(rows, data, policy):
    document = table(rows, policy=policy)
    rules = RuleSet.load(document)
    expected = oracle(document)
    result = rules.evaluate({n: np.array([row[n] for row in data]) for n in ("x", "y", "channel", "listed")}, len(data))
    for position, row in enumerate(data):
        assert set(result.names(position)) == expected(row)


@settings(max_examples=150, deadline=None)
@given(st.lists(UNARY, min_size=1, max_size=5), st.lists(VALUE | st.none(), min_size=1, max_size=4))
def test_missing_values_fire_as_zen_says(cells, values):
    document = table([(cell,) for cell in cells], fields=("x",))
    result = RuleSet.load(document).evaluate({"x": np.array([np.nan if v is None else v for v in values])}, len(values))
    expected = oracle(document)
    for position, value in enumerate(values):
        assert set(result.names(position)) == expected({"x": value})


def test_columns_named_only_by_strategy_exist():
    rules = RuleSet.load(SHIPPED[0].read_bytes())
    assert {"channel", "amount", "block_listed"} <= set(rules.columns)
    assert Column("amount") in {n for rule in rules.rules for c in rule.conditions for n in _nodes(c.node)}


def _nodes(node):
    yield node
    for name in getattr(node, "__slots__", ()):
        child = getattr(node, name)
        if hasattr(child, "__slots__"):
            yield from _nodes(child)
