"""Whatever stands in a rule file: it is refused with the one typed error, or it loads, never fails and says what zen-engine says."""

import contextlib
import json
from copy import deepcopy

import hypothesis.strategies as st
import zen
from hypothesis import HealthCheck, given, settings
from meshkit.errors import InvalidArgument
from risk_scoring.domain.probe import load_for_service

from tests.unit.meshkit.test_strict_json import PLAIN
from tests.unit.risk_scoring.domain.test_rule_kinds import REQUEST, columns, document
from tests.unit.risk_scoring.rule_sets import RULES

SHIPPED = json.loads((RULES / "anti-fraud.json").read_text("utf-8"))
DERIVED = [("d0", "hour + 1"), ("d1", "d0 + d0"), ("flagged", "has_device and hour > 5")]
WITH_DERIVED = document("amount > 1", derived=DERIVED).decode()
# fmt: off
PIECES = st.sampled_from([
    "hour", "amount", "country", "has_device", "trusted_payee", "block_listed", "c_count_1h", "d0", "d1", "flagged", "unknown", "0", "1",
    "22", "127", "128", "-", "- 1", "0.5", "9007199254740993", "1e3", "1E400", '"CN"', "'atm'", "''", "true", "false", "null", "+", "*",
    "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "in", "(", ")", "[", "]", "..", ",", "not (", "in [", "\u00a0", "\t", "\n", "%",
    "$", "len(", "#", "渠道",
])
# fmt: on
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=300)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:3]):
            yield from places(inner, (*path, number))


PLACES = [path for path in places(SHIPPED) if path]


@SLOW
@given(st.lists(st.tuples(st.sampled_from(PLACES), PLAIN), min_size=1, max_size=3))
def test_anything_in_any_place_is_refused_or_works(edits):
    model = deepcopy(SHIPPED)
    for path, value in edits:
        place = model
        with contextlib.suppress(LookupError, TypeError):  # an earlier edit may have taken the place away
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
    with contextlib.suppress(InvalidArgument):
        assert load_for_service(json.dumps(model).encode()).rules


@given(PLAIN)
def test_anything_at_all_is_refused(value):
    with contextlib.suppress(InvalidArgument):
        raise AssertionError(load_for_service(json.dumps(value).encode()))


def as_zen_says(cell, field, row, fired):
    """Compare with the engine where it has a truth value; it stops at what is missing, and so says nothing then."""
    given = REQUEST | {"c_count_1h": 3} | row
    variables = given | {"d0": given["hour"] + 1, "d1": 2 * (given["hour"] + 1), "flagged": given["has_device"] and given["hour"] > 5}
    try:
        said = (
            zen.evaluate_unary_expression(cell, variables | {"$": variables[field]}) if field else zen.evaluate_expression(cell, variables)
        )
    except Exception:
        return
    assert said not in (True, False) or said == fired, (cell, field, said)


@SLOW
@given(
    st.lists(PIECES, min_size=1, max_size=9).map(" ".join),
    st.sampled_from(["", "hour", "amount", "country", "has_device"]),
    st.fixed_dictionaries({"hour": st.integers(0, 23), "country": st.sampled_from(["", "CN"]), "has_device": st.booleans()}),
)
def test_any_pieces_in_a_cell_are_refused_or_right(cell, field, row):
    try:
        rules = load_for_service(document(cell, field=field, derived=DERIVED))
    except InvalidArgument:
        return
    as_zen_says(cell, field, row, bool(rules.evaluate(columns(c_count_1h=3, **row), 1).hits[0, 0]))


OPERANDS = st.sampled_from(["hour", "amount", "c_count_1h", "d0", "d1", "127", "200", "0.5", "- 3", "(hour + 100)", "(0.1 + 0.2)"])
SUMS = st.lists(st.tuples(st.sampled_from(["+", "-", "*"]), OPERANDS), max_size=3).map(lambda parts: "".join(f" {a} {b}" for a, b in parts))
COMPARED = st.tuples(OPERANDS, SUMS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), OPERANDS, SUMS).map(
    lambda parts: f"{parts[0]}{parts[1]} {parts[2]} {parts[3]}{parts[4]}"
)
TRUTHS = COMPARED | st.sampled_from(
    ["has_device", "not (has_device)", 'country == "CN"', "flagged", "hour in [1..22]", "not (hour in [3, 200])"]
)


@SLOW
@given(
    st.lists(TRUTHS, min_size=1, max_size=3).map(" and ".join) | st.lists(TRUTHS, min_size=1, max_size=3).map(" or ".join),
    st.fixed_dictionaries({"hour": st.integers(0, 23), "country": st.sampled_from(["", "CN"]), "has_device": st.booleans()}),
)
def test_whole_expressions_are_as_zen_says(cell, row):
    try:
        rules = load_for_service(document(cell, derived=DERIVED))
    except InvalidArgument as error:
        assert "does not depend on any column" in error.message
        return
    as_zen_says(cell, "", row, bool(rules.evaluate(columns(c_count_1h=3, **row), 1).hits[0, 0]))
