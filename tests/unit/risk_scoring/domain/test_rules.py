"""Rule sets: what a load refuses and where it points, missing features, actions, typologies, explanations."""

import json
import re
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from meshkit.errors import InvalidArgument
from risk_scoring.domain.features import NAMES
from risk_scoring.domain.outcome import RuleAction
from risk_scoring.domain.request_columns import REQUEST_COLUMNS
from risk_scoring.domain.rules import RuleSet

SHIPPED = Path(__file__).parents[4] / "services/risk-scoring/rules/anti-fraud.json"


def table(name, fields, outputs, rows, policy="collect"):
    """``rows``: (cells by field, outputs). The field "" is a column of whole expressions."""
    inputs = [{"id": f"i{k}", "name": field or "condition", "field": field} for k, field in enumerate(fields)]
    columns = [{"id": f"o{k}", "name": field, "field": field} for k, field in enumerate(outputs)]
    rules = []
    for number, (cells, values) in enumerate(rows):
        row = {"_id": f"{name}{number}", "_description": f"row {number}"}
        row |= {f"i{fields.index(field)}": text for field, text in cells.items()}
        row |= {f"o{k}": json.dumps(value, ensure_ascii=False) for k, value in enumerate(values)}
        rules.append(row)
    content = {"hitPolicy": policy, "inputs": inputs, "outputs": columns, "rules": rules, "outputPath": name, "passThrough": False}
    return {"id": name, "type": "decisionTableNode", "name": name, "position": {"x": 0, "y": 0}, "content": content}


RULE = ["rule", "reason", "weight", "action"]
RULES = table(
    "rules",
    ["amount", "channel", "listed", "count", ""],
    RULE,
    [
        ({"amount": "> 100", "channel": '"转账"'}, ("a.large", "R_AMOUNT_HIGH", 30, "none")),
        ({"count": ">= 5"}, ("b.velocity", "R_VELOCITY", 40, "alert")),
        ({"": "ratio > 2 and not (listed)"}, ("c.ratio", "R_AMOUNT_UNUSUAL", 20, "block")),
        ({"listed": "true"}, ("d.listed", "R_BLOCK_LISTED", 1000, "hard_block")),
        ({"count": "!= 3"}, ("e.not_three", "R_VELOCITY", 5, "none")),
        ({"count": "null"}, ("f.unknown", "R_CUSTOMER_NEW", 1, "none")),
    ],
)
DERIVED = {
    "id": "derived",
    "type": "expressionNode",
    "name": "derived",
    "position": {"x": 0, "y": 0},
    "content": {"expressions": [{"id": "1", "key": "ratio", "value": "amount / mean"}], "passThrough": True},
}
TYPOLOGIES = table("typologies", [], ["typology", "reason", "alert_at", "block_at"], [({}, ("mule", "R_MULE", 60, 90))])
MEMBERS = table(
    "members",
    [],
    ["typology", "rule", "weight"],
    [({}, ("mule", "a.large", 60)), ({}, ("mule", "b.velocity", 10)), ({}, ("mule", "c.ratio", 30))],
)


def model(*nodes, edges=None):
    ends = [{"id": kind, "type": f"{kind}Node", "name": kind, "position": {"x": 0, "y": 0}} for kind in ("input", "output")]
    line = ["input", *(n["id"] for n in nodes if n["type"] == "expressionNode")]
    pairs = list(pairwise(line))
    for node in nodes:
        if node["type"] == "decisionTableNode":
            pairs += [(line[-1], node["id"]), (node["id"], "output")]
    edges = [{"id": f"e{k}", "type": "edge", "sourceId": a, "targetId": b} for k, (a, b) in enumerate(edges or pairs)]
    return {"contentType": "application/vnd.gorules.decision", "version": "7", "nodes": [*ends, *nodes], "edges": edges}


def load(document, **kwargs):
    return RuleSet.load(json.dumps(document, ensure_ascii=False).encode(), **kwargs)


WHOLE = model(DERIVED, RULES, TYPOLOGIES, MEMBERS)


def columns(**changes):
    base = {"amount": 50.0, "channel": "转账", "listed": False, "count": 3.0, "mean": 50.0} | changes
    return {name: np.array([value]) for name, value in base.items() if value is not None}


def names(**changes):
    return load(WHOLE).evaluate(columns(**changes), 1).names(0)


def test_rules_fire_one_by_one():
    assert names() == ()
    assert names(amount=101.0, mean=100.0) == ("a.large",)
    assert names(amount=101.0, mean=100.0, channel="atm") == ()
    assert names(count=5.0) == ("b.velocity", "e.not_three")
    assert names(amount=100.0, mean=49.0) == ("c.ratio",)
    assert names(amount=100.0, mean=49.0, listed=True) == ("d.listed",)


@pytest.mark.parametrize("missing", [{"count": np.nan}, {"count": None}])
def test_a_rule_whose_feature_is_missing_does_not_fire_unless_it_says_so(missing):
    """NaN and an absent column alike; "!= 3" does not fire either, though zen-engine would let it."""
    assert names(**missing) == ("f.unknown",)
    assert names(**missing, amount=101.0, mean=100.0) == ("a.large", "f.unknown")


def test_negation_does_not_turn_missing_into_true():
    rules = load(model(table("rules", [""], RULE, [({"": "not (count > 3)"}, ("x", "R_VELOCITY", 1, "none"))])))
    assert rules.evaluate({"count": np.array([np.nan, 2.0, 4.0])}, 3).hits[:, 0].tolist() == [False, True, False]


def test_a_known_half_of_an_or_suffices():
    rules = load(model(table("rules", [""], RULE, [({"": "count > 3 or listed"}, ("x", "R_VELOCITY", 1, "none"))])))
    hits = rules.evaluate({"count": np.array([np.nan, np.nan]), "listed": np.array([True, False])}, 2).hits
    assert hits[:, 0].tolist() == [True, False]


def test_division_by_zero_is_missing():
    assert names(amount=100.0, mean=0.0) == ()


def action(**changes):
    return RuleAction(int(load(WHOLE).evaluate(columns(**changes), 1).action[0]))


def test_actions_take_the_severest():
    assert action() == RuleAction.NONE
    assert action(count=5.0) == RuleAction.ALERT
    assert action(count=5.0, amount=100.0, mean=40.0) == RuleAction.BLOCK
    assert action(count=5.0, amount=100.0, mean=40.0, listed=True) == RuleAction.HARD_BLOCK


def test_typologies_alert_and_block_by_their_own_weights():
    result = load(WHOLE).evaluate(columns(amount=101.0, mean=100.0), 1)
    assert result.typology_scores.tolist() == [[60.0]] and result.action[0] == RuleAction.ALERT
    assert result.weight.tolist() == [30.0]
    assert result.reasons(0) == (("R_MULE", 60.0), ("R_AMOUNT_HIGH", 30.0))
    members = table("members", [], ["typology", "rule", "weight"], [({}, ("mule", "a.large", 50)), ({}, ("mule", "b.velocity", 40))])
    both = load(model(DERIVED, RULES, TYPOLOGIES, members)).evaluate(columns(amount=101.0, mean=100.0, count=5.0), 1)
    assert both.action[0] == RuleAction.BLOCK


def test_reasons_keep_the_strongest_of_a_code():
    result = load(WHOLE).evaluate(columns(count=7.0), 1)
    assert result.reasons(0) == (("R_VELOCITY", 40.0),)


def test_first_hit_policy_keeps_the_first_row():
    rows = [({"amount": f"> {limit}"}, (f"over_{limit}", "R_AMOUNT_HIGH", limit, "none")) for limit in (1000, 100, 10)]
    rules = load(model(table("rules", ["amount"], RULE, rows, policy="first")))
    result = rules.evaluate({"amount": np.array([5.0, 50.0, 500.0, 5000.0])}, 4)
    assert [result.names(row) for row in range(4)] == [(), ("over_10",), ("over_100",), ("over_1000",)]
    assert result.weight.tolist() == [0, 10, 100, 1000]


def test_version_is_the_declared_one_and_a_digest():
    changed = deepcopy(WHOLE)
    changed["nodes"][3]["content"]["rules"][0]["i0"] = "> 101"
    assert load(WHOLE).version.startswith("7+") and load(WHOLE).version == load(WHOLE).version != load(changed).version


def test_an_empty_batch():
    empty = {name: column[:0] for name, column in columns().items()}
    result = load(WHOLE).evaluate(empty, 0)
    assert result.hits.shape == (0, 6) and result.action.shape == (0,)


def test_wrong_columns_are_refused():
    with pytest.raises(ValueError, match="channel is required"):
        load(WHOLE).evaluate(columns(channel=None), 1)
    with pytest.raises(ValueError, match=r"shape \(1,\)"):
        load(WHOLE).evaluate(columns(), 2)


def cell(text, field="amount"):
    return model(table("rules", [field], RULE, [({field: text}, ("x", "R_VELOCITY", 1, "none"))]))


def changed(edit):
    document = deepcopy(WHOLE)
    edit(document, {node["id"]: node for node in document["nodes"]})
    return document


BAD = {
    "dash for any": (cell("-"), "rules.row 1.amount", "ends too early"),
    "other language": (cell("amount.startsWith('a')"), "rules.row 1.amount", "cannot read"),
    "template": (cell("`x`"), "rules.row 1.amount", "cannot read"),
    "subject sign": (cell("$ > 5"), "rules.row 1.amount", "cannot read"),
    "dangling": (cell("> 5 and"), "rules.row 1.amount", "ends too early"),
    "two values": (cell("5 6"), "rules.row 1.amount", "unexpected '6'"),
    "open range": (cell("[1..5"), "rules.row 1.amount", "not closed"),
    "not without in": (cell("not 5"), "rules.row 1.amount", "'in' is missing"),
    "bare column": (cell("mean"), "rules.row 1.amount", "bare value"),
    "list of nulls": (cell("in [null]"), "rules.row 1.amount", "numbers and texts"),
    "full-width digits": (cell("> １００"), "rules.row 1.amount", "cannot read"),
    "constant": (cell("1 < 2", ""), "rules.row 1.condition", "does not depend"),
    "value as condition": (cell("amount + 1", ""), "rules.row 1.condition", "a condition is expected"),
    "chained comparison": (cell("1 < amount < 3", ""), "rules.row 1.condition", "unexpected '<'"),
    "not binds tight": (cell("not amount > 5", ""), "rules.row 1.condition", "unexpected '>'"),
    "text ordering": (cell('> "a"'), "rules.row 1.amount", "a number is expected"),
    "number and text": (cell('1, "a"'), "rules.row 1.amount", "used as number and as text"),
    "text and null": (cell('"a" or null'), "rules.row 1.amount", "used as text and as number"),
    "number as flag": (cell("amount > 1 and amount", ""), "rules.row 1.condition", "used as number and as flag"),
    "too deep": (cell("(" * 60 + "amount > 1" + ")" * 60, ""), "rules.row 1.condition", "nested too deeply"),
    "too long": (cell("> 1" + " or > 1" * 200), "rules.row 1.amount", "longer than"),
    "no condition": (cell(""), "rules.row 1", "would fire on everything"),
    "version": (changed(lambda d, n: d.pop("version")), "version", "must be a text"),
    "content type": (changed(lambda d, n: d.update(contentType="x")), "contentType", "must be"),
    "unknown node": (changed(lambda d, n: n["rules"].update(type="functionNode")), "rules", "not supported"),
    "two inputs": (changed(lambda d, n: n["derived"].update(type="inputNode")), "nodes", "exactly one inputNode"),
    "loose edge": (changed(lambda d, n: d["edges"].append({"sourceId": "input", "targetId": "nowhere"})), "edges", "does not exist"),
    "unconnected": (changed(lambda d, n: d["edges"].pop()), "members", "must lead to the output"),
    "no rule fields": (changed(lambda d, n: n["rules"]["content"]["outputs"].pop()), "rules", "its outputs are not"),
    "hit policy": (changed(lambda d, n: n["rules"]["content"].update(hitPolicy="unique")), "rules", "hit policy"),
    "same output path": (changed(lambda d, n: n["rules"]["content"].update(outputPath="members")), "nodes", "same output path"),
    "derived twice": (
        changed(lambda d, n: n["derived"]["content"]["expressions"].append({"key": "ratio", "value": "1"})),
        "derived.ratio",
        "key of its own",
    ),
    "rule id": (changed(lambda d, n: n["rules"]["content"]["rules"][0].update(o0='"A b"')), "rules.row 1.rule", "must match"),
    "same rule twice": (changed(lambda d, n: n["rules"]["content"]["rules"][1].update(o0='"a.large"')), "rules.row 2.rule", "twice"),
    "reason": (changed(lambda d, n: n["rules"]["content"]["rules"][0].update(o1='"R_NONE"')), "rules.row 1.reason", "not a known reason"),
    "weight": (changed(lambda d, n: n["rules"]["content"]["rules"][0].update(o2="1.5")), "rules.row 1.weight", "whole number"),
    "action": (changed(lambda d, n: n["rules"]["content"]["rules"][0].update(o3='"stop"')), "rules.row 1.action", "must be one of"),
    "stranger": (
        changed(lambda d, n: n["members"]["content"]["rules"][0].update(o1='"z"')), "members.row 1", "a declared rule",
    ),
    "unreachable": (changed(lambda d, n: n["typologies"]["content"]["rules"][0].update(o2="500", o3="600")), "typologies.row 1", "reach"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_load_says_what_is_wrong_and_where(case):
    document, place, description = BAD[case]
    with pytest.raises(InvalidArgument) as caught:
        load(document)
    (violation,) = caught.value.violations
    assert caught.value.reason == "INVALID_RULE_SET"
    assert violation.field == place and description in violation.description


def test_unknown_columns_are_refused_when_the_known_ones_are_given():
    assert load(WHOLE, known_columns={"amount", "channel", "listed", "count", "mean"})
    with pytest.raises(InvalidArgument, match="unknown columns: mean"):
        load(WHOLE, known_columns={"amount", "channel", "listed", "count"})


@pytest.mark.parametrize("document", [b"", b"\xff", b"[]", b"{", b'{"a": ' * 2000, b" " * (1 << 21)])
def test_bytes_that_are_no_model(document):
    with pytest.raises(InvalidArgument) as caught:
        RuleSet.load(document)
    assert caught.value.reason == "INVALID_RULE_SET"


def test_the_shipped_set_serves_on_the_request_alone():
    """Feature store down: rules on the request still work, and nothing else fires."""
    rules = RuleSet.load(SHIPPED.read_bytes(), {*NAMES, *REQUEST_COLUMNS})
    request = {
        "amount": np.array([80_000.0, 80_000.0, 10.0]),
        "channel": np.array(["transfer", "transfer", "atm"]),
        "currency": np.array(["CNY"] * 3),
        "country": np.array(["CN"] * 3),
        "mcc": np.array(["", "", "6011"]),
        "tenant": np.array(["bank-a"] * 3),
        "hour": np.array([3, 14, 14], dtype=np.int8),
        "has_device": np.array([True, True, False]),
        "block_listed": np.array([False, True, False]),
        "trusted_payee": np.array([False, False, False]),
    }
    result = rules.evaluate(request, 3)
    assert [result.names(row) for row in range(3)] == [("request.large_transfer_at_night",), ("list.block",), ()]
    assert result.action.tolist() == [RuleAction.ALERT, RuleAction.HARD_BLOCK, RuleAction.NONE]


def test_the_shipped_set_reads_only_what_exists():
    assert set(RuleSet.load(SHIPPED.read_bytes()).columns) <= {*NAMES, *REQUEST_COLUMNS}


def test_the_guide_names_every_request_column():
    guide = (Path(__file__).parents[4] / "docs/rules.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \| (?:number|text|flag) \|", guide, re.MULTILINE))
    assert documented == set(REQUEST_COLUMNS)
