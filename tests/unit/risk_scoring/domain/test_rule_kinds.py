"""Columns have kinds and numbers have limits: what loads is right, and what zen-engine says if it says anything; the rest is refused."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
import zen
from meshkit.errors import InvalidArgument
from meshkit.threads import Ended
from risk_scoring.domain import columnar, derived, probe
from risk_scoring.domain.columnar import Program
from risk_scoring.domain.features import NAMES
from risk_scoring.domain.probe import load_for_service
from risk_scoring.domain.request_columns import COLUMN_KINDS, KNOWN_COLUMNS
from risk_scoring.domain.rules import RuleSet

from tests.unit.risk_scoring.rule_sets import RULES

OUTPUTS = [{"id": f"o_{name}", "name": name, "field": name} for name in ("rule", "reason", "weight", "action")]
VALUES = {"o_rule": '"x"', "o_reason": '"R_VELOCITY"', "o_weight": "1", "o_action": '"alert"'}
REQUEST = {
    "amount": 100.0,
    "channel": "atm",
    "currency": "CNY",
    "country": "CN",
    "mcc": "",
    "tenant": "bank-a",
    "hour": 22,
    "has_device": True,
    "block_listed": False,
    "trusted_payee": True,
}
DTYPES = {"hour": np.int8, "amount": np.float64}


def document(*cells, field="", derived=(), **changes) -> bytes:
    """One table of one column: a row for each cell."""
    rows = [{"_id": f"r{k}", "i": cell} | VALUES | {"o_rule": f'"x{k}"'} for k, cell in enumerate(cells)]
    inputs = [{"id": "i", "name": "condition", "field": field}]
    table = {"hitPolicy": "collect", "inputs": inputs, "outputs": OUTPUTS, "rules": rows, "outputPath": "t", "passThrough": False}
    nodes = [{"id": kind, "type": f"{kind}Node", "name": kind} for kind in ("input", "output")]
    nodes.append({"id": "t", "type": "decisionTableNode", "name": "规则", "content": table})
    line = ["input", "t", "output"]
    if derived:
        expressions = [{"id": key, "key": key, "value": text} for key, text in derived]
        nodes.append({"id": "e", "type": "expressionNode", "name": "列", "content": {"expressions": expressions, "passThrough": True}})
        line.insert(1, "e")
    edges = [{"id": f"{a}{b}", "type": "edge", "sourceId": a, "targetId": b} for a, b in pairwise(line)]
    model = {"contentType": "application/vnd.gorules.decision", "version": "1", "nodes": nodes, "edges": edges}
    return json.dumps(model | changes, ensure_ascii=False).encode()


def columns(**changes):
    row = REQUEST | changes
    features = {name: np.array([row[name]], dtype=np.float32) for name in row if name in NAMES and name != "channel"}
    return {name: np.array([row[name]], dtype=DTYPES.get(name)) for name in REQUEST} | features


def fires(cell, field="", derived=(), **row) -> bool:
    return bool(load_for_service(document(cell, field=field, derived=derived)).evaluate(columns(**row), 1).hits[0, 0])


def says_zen(expression, **row):
    """The value of zen-engine, None when it has none."""
    try:
        return zen.evaluate_expression(expression, REQUEST | row)
    except Exception:
        return None


RIGHT = [
    ("hour * 60 >= 1320", {}, True),
    ("hour * 60 >= 1321", {}, False),
    ("hour * 3600 > 10", {}, True),
    ("hour + 200 == 222", {}, True),
    ("hour + 106 > 127", {}, True),
    ("hour - 200 < 0", {}, True),
    ("hour > 300", {}, False),
    ("hour < 300", {}, True),
    ("hour != 300", {}, True),
    ("-hour < 0", {}, True),
    ("hour * hour * hour * hour == 234256", {}, True),
    ("hour / 4 == 5.5", {}, True),
    ("hour in [300, 22]", {}, True),
    ("hour in [-500..500]", {}, True),
    ("trusted_payee - block_listed < 1", {}, None),
    ("trusted_payee - block_listed == 1", {}, None),
    ("has_device + trusted_payee == 2", {}, None),
    ("-has_device < 0", {}, None),
    ("has_device * 300 > 200", {}, None),
    ("amount > 4000000000 * 2000", {}, False),
    ("amount < 4000000000 * 2000", {}, True),
    ("amount * 1 == 90 + 10", {}, True),
    ("amount > 0.1 + 0.2 - 0.3", {}, True),
    ("amount == 100 * (0.1 + 0.2) / 0.3", {}, True),
    ("c_amount_z_30d == 0.1 + 0.6", {"c_amount_z_30d": 0.7}, True),
    ("amount <= 9007199254740992", {}, True),
    ("amount > 0 - 9007199254740992", {}, True),
    ("amount / (hour - 22) > 0", {}, None),
    ("c_count_1h == null", {"c_count_1h": math.nan}, True),
    ("amount != null", {}, True),
    ("hour == null", {}, False),
    ("amount\t>\n3", {}, True),
    ("amount > 1_000", {"amount": 1000.5}, True),
    ("amount == 1e2", {}, True),
]


@pytest.mark.parametrize(("expression", "row", "expected"), RIGHT, ids=[case[0] for case in RIGHT])
def test_what_loads_is_right_and_what_zen_says_when_it_says_anything(expression, row, expected):
    given = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
    oracle = says_zen(expression, **given)
    assert oracle == expected
    plain = {name: int(value) if isinstance(value, bool) else value for name, value in (REQUEST | row).items()}
    by_hand = expected if expected is not None else ("/ (hour - 22)" not in expression and eval(expression, {}, plain))
    assert fires(expression, **row) == by_hand


def test_flags_in_arithmetic_are_one_and_zero():
    for trusted in (False, True):
        for listed in (False, True):
            assert fires("trusted_payee - block_listed < 1", trusted_payee=trusted, block_listed=listed) == (trusted - listed < 1)


REFUSED = [
    ("null", "country", "country is never missing"),
    ("!= null", "channel", "channel is never missing"),
    ("null", "has_device", "has_device is never missing"),
    ('"CN" or null', "country", "never missing"),
    ("> 5", "country", "country is a text, not a number"),
    ("5", "country", "country is a text, not a number"),
    ("true", "country", "country is a text, not a flag"),
    ("true", "hour", "hour is a number, not a flag"),
    ('"22"', "hour", "hour is a number, not a text"),
    ("1, '2'", "hour", "hour is a number, not a text"),
    ("in ['CN', 5]", "country", "country is a text, not a number"),
    ("in [true]", "hour", "is a number, not a flag"),
    ("1", "has_device", "has_device is a flag, not a number"),
    ("> 0", "has_device", "has_device is a flag, not a number"),
    ('"true"', "has_device", "has_device is a flag, not a text"),
    ("country + 1 > 2", "", "country is a text, not a number"),
    ("country == currency", "", "country is a text, not a number"),
    ("hour and has_device", "", "hour is a number, not a flag"),
    ("not (hour)", "", "hour is a number, not a flag"),
    ("(has_device == true) == null", "", "a number is expected"),
    ("> " + "9" * 400, "amount", "between 2^-53 and 2^53"),
    ("> 1E400", "amount", "between 2^-53 and 2^53"),
    ("> 1e17", "amount", "between 2^-53 and 2^53"),
    ("> 9007199254740993", "amount", "between 2^-53 and 2^53"),
    ("> -9007199254740993", "amount", "between 2^-53 and 2^53"),
    ("> 1E-400", "amount", "too small"),
    ("> 0.0000000000000000000001", "amount", "between 2^-53 and 2^53"),
    ("> 9007199254740992 * 2", "amount", "between 2^-53 and 2^53"),
    ("> 4000000000 * 4000000000", "amount", "between 2^-53 and 2^53"),
    ("> 0.0000001 * 0.0000000001", "amount", "between 2^-53 and 2^53"),
    ("> 1 / (2 - 2)", "amount", "divides by zero"),
    (">\u00a05", "amount", "cannot read"),
    ("\u00a0", "amount", "cannot read"),
    ("\u3000", "amount", "cannot read"),
    ("amount\u2028> 3", "", "cannot read"),
    ("amount\x0b> 3", "", "cannot read"),
    ("amount\r> 3", "", "cannot read"),
    ("> ٣", "amount", "cannot read"),
    ("1 < amount < 3", "", "unexpected '<'"),
    ("--amount > 3", "", "unexpected '-'"),
    ('"CN\x00"', "country", "U+0000"),
    (0, "amount", "a cell must be a text"),
    (False, "amount", "a cell must be a text"),
    ([], "amount", "a cell must be a text"),
    ({}, "amount", "a cell must be a text"),
]


@pytest.mark.parametrize(("cell", "field", "said"), REFUSED, ids=[f"{case[1]}: {str(case[0])[:30]!r}" for case in REFUSED])
def test_what_is_refused_names_the_cell(cell, field, said):
    with pytest.raises(InvalidArgument) as caught:
        load_for_service(document(cell, field=field))
    (violation,) = caught.value.violations
    assert caught.value.reason == "INVALID_RULE_SET"
    assert violation.field == f"规则.row 1.{field or 'condition'}"
    assert said in violation.description


def doubling(lines):
    return [("d0", "amount + 1"), *((f"d{k}", f"d{k - 1} + d{k - 1}") for k in range(1, lines))]


def chained(lines):
    return [("d0", "amount + 1"), *((f"d{k}", f"d{k - 1} + 1") for k in range(1, lines))]


def test_limits_count_what_named_columns_stand_for():
    assert fires("d8 > 5", derived=doubling(9))
    assert fires("d400 > 5", derived=chained(401))
    for case, said in ((doubling(40), "列.d9: has more than 2000 parts"), (chained(1_000), "列.d499: is nested deeper than 500")):
        with pytest.raises(InvalidArgument, match=said):
            load_for_service(document("amount > 1", derived=case))


def test_limits_count_all_cells_together():
    cells = ["d8 > 1"] * 250
    with pytest.raises(InvalidArgument, match=r"规则.row \d+.condition: the rules have more than 200000 parts"):
        load_for_service(document(*cells, derived=doubling(9)))


def test_operations_are_counted(monkeypatch):
    monkeypatch.setattr(columnar, "MAX_STEPS", 5)
    assert load_for_service(document(*["amount > 1"] * 9))  # one and the same
    with pytest.raises(InvalidArgument, match=r"规则.row 6.condition: the rules need more than 5 operations"):
        load_for_service(document(*(f"amount > {k}" for k in range(9))))


def test_the_deepest_of_everything_that_loads_evaluates():
    deepest = " or ".join(["amount>1"] * 83)
    assert fires("(" * 39 + deepest[:900].rpartition(" or ")[0] + ")" * 39)
    assert fires("amount" + "+1" * 490 + ">9")
    assert derived.MAX_DEPTH < 1_000 - 300


@pytest.mark.parametrize("edit", [("sourceId", ["t"]), ("targetId", {}), ("sourceId", None)])
def test_an_edge_that_names_no_text(edit):
    model = json.loads(document("amount > 1"))
    model["edges"][0][edit[0]] = edit[1]
    with pytest.raises(InvalidArgument, match="does not exist"):
        load_for_service(json.dumps(model).encode())


def test_two_outputs_of_one_name():
    model = json.loads(document("amount > 1"))
    next(node for node in model["nodes"] if node["id"] == "t")["content"]["outputs"].append({"id": "o", "name": "rule", "field": "rule"})
    with pytest.raises(InvalidArgument, match="same field"):
        load_for_service(json.dumps(model).encode())


def test_the_kinds_are_those_of_the_columns_in_service():
    assert COLUMN_KINDS.keys() == KNOWN_COLUMNS
    many = probe._batches()[0]
    kinds = {name: {"U": "text", "b": "flag", "f": "number", "i": "number"}[column.dtype.kind] for name, column in many.columns.items()}
    assert kinds == COLUMN_KINDS


class WithoutKinds(Program):
    """A mutant: nothing is known of columns, as before there were kinds."""

    def __init__(self, known=None):
        super().__init__()


@pytest.mark.parametrize("cell", ["trusted_payee - block_listed < 1", "country == null", "country > 5"])
def test_the_probe_finds_what_no_check_was_made_for(monkeypatch, cell):
    monkeypatch.setattr("risk_scoring.domain.rules.Program", WithoutKinds)
    monkeypatch.setattr(columnar, "_DTYPES", dict.fromkeys(("number", "text", "flag"), "fiubU"))
    monkeypatch.setattr(columnar, "_as_float64", lambda column: column)
    monkeypatch.setattr(columnar, "_FLOAT64_FROM", "")
    assert RuleSet.load(document(cell), KNOWN_COLUMNS)
    with pytest.raises(InvalidArgument, match="fail on a batch of 48 for a probe"):
        load_for_service(document(cell))


def test_the_probe_tries_every_channel_every_hour_and_every_way_to_be_missing():
    many, request_only, one, none = probe._batches()
    assert set(many.columns["channel"].tolist()) == {"card_present", "ecommerce", "transfer", "atm"}
    assert set(many.columns["hour"].tolist()) == set(range(24))
    assert (len(request_only), len(one), len(none)) == (len(many), 1, 0)
    assert not set(request_only.columns) & (set(NAMES) - {"channel"})
    for name in set(NAMES) - {"channel"}:
        column = many.columns[name]
        assert np.isnan(column).any() and np.isinf(column).any() and (column == 0).any()


def test_the_shipped_rules_pass():
    assert load_for_service((RULES / "anti-fraud.json").read_bytes()).rules


def test_a_load_can_be_ended_at_every_row():
    def look():
        nonlocal left
        left -= 1
        if left < 0:
            raise Ended

    content = document(*(f"amount > {k}" for k in range(100)))
    for looks in (0, 50, 99, 150, 199, 201):
        left = looks
        with pytest.raises(Ended):
            load_for_service(content, look)
