"""Decision models in JDM, the open JSON format of gorules' editor and of zen-engine: from bytes to tables of parsed cells.

Only a fixed shape is accepted (docs/rules.md): one input node, expression nodes that add columns, decision tables that each write to their
own output path, one output node. Everything else is refused with the node, row and column at fault, because what we would read one way and
the engine another must not be activated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

from meshkit.errors import FieldViolation, InvalidArgument, InvalidDocument
from meshkit.strict_json import parse_json

from risk_scoring.domain.derived import DerivedColumns
from risk_scoring.domain.expressions import BLANKS, Column, ExpressionError, Literal, Node, columns_of, parse_expression, parse_unary

INVALID_RULE_SET = "INVALID_RULE_SET"
MAX_BYTES = 1 << 20
MAX_ROWS = 1000
MAX_ALL_ROWS = 5000
_CONTENT_TYPE = "application/vnd.gorules.decision"


@dataclass(frozen=True, slots=True)
class Condition:
    """One cell that is not empty: the heading of its column, its text, and its tree with derived columns put in."""

    heading: str
    text: str
    node: Node


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands (for messages), its conditions, and its outputs by field."""

    place: str
    conditions: tuple[Condition, ...]
    outputs: Mapping[str, float | int | str | bool]


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """One table. ``first_only``: hit policy "first", else "collect"."""

    name: str
    first_only: bool
    fields: frozenset[str]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class DecisionModel:
    """The version that the document declares, and its tables in the order of the document."""

    version: str
    tables: tuple[DecisionTable, ...]


def invalid(place: str, description: str) -> InvalidArgument:
    """The error for a rule set that cannot be loaded; ``place`` names node, row and column."""
    place = " ".join(place.split())[:200]
    return InvalidArgument(f"{place}: {description}", reason=INVALID_RULE_SET, violations=(FieldViolation(place, description),))


def parse_model(document: bytes, look: Callable[[], None] = lambda: None) -> DecisionModel:
    """Parse a JDM document; raises InvalidArgument (INVALID_RULE_SET), and whatever ``look`` raises, which is called for every row."""
    if len(document) > MAX_BYTES:
        raise invalid("document", f"is larger than {MAX_BYTES} bytes")
    try:
        model = parse_json(document)
    except InvalidDocument as error:
        raise invalid("document", error.message) from error
    if not isinstance(model, dict) or model.get("contentType") != _CONTENT_TYPE:
        raise invalid("contentType", f"must be {_CONTENT_TYPE}")
    version = model.get("version")
    if not isinstance(version, str) or not 0 < len(version) <= 40 or not version.isascii() or not version.isprintable():
        raise invalid("version", "must be a text of 1 to 40 printable ASCII characters")
    nodes, before = _graph(model)
    derived = DerivedColumns()
    for identifier in TopologicalSorter(before).static_order():
        if nodes[identifier]["type"] == "expressionNode":
            _derive(nodes[identifier], derived)
    table_nodes = [node for node in nodes.values() if node["type"] == "decisionTableNode"]
    if sum(len(_items(_content(node), "rules", _name(node))) for node in table_nodes) > MAX_ALL_ROWS:
        raise invalid("nodes", f"the tables have more than {MAX_ALL_ROWS} rows together")
    tables = [_table(node, derived, look) for node in table_nodes]
    if len({_content(node)["outputPath"] for node in table_nodes}) != len(tables):
        raise invalid("nodes", "two tables write to the same output path")
    return DecisionModel(version, tuple(tables))


def _graph(model: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, set[str]]]:
    """Nodes by id, and the ids that come before each; checks that input → expressions → tables → output is the only way through."""
    nodes: dict[str, dict[str, Any]] = {}
    for node in _items(model, "nodes", "document"):
        if not isinstance(node.get("id"), str) or node["id"] in nodes:
            raise invalid("nodes", "every node needs an id of its own")
        if node.get("type") not in ("inputNode", "outputNode", "expressionNode", "decisionTableNode"):
            raise invalid(_name(node), f"nodes of type {node.get('type')!r} are not supported")
        nodes[node["id"]] = node
    before: dict[str, set[str]] = {identifier: set() for identifier in nodes}
    for edge in _items(model, "edges", "document"):
        source, target = edge.get("sourceId"), edge.get("targetId")
        if not isinstance(source, str) or not isinstance(target, str) or source not in nodes or target not in nodes:
            raise invalid("edges", "an edge leads from or to a node that does not exist")
        before[target].add(source)
    for kind in ("inputNode", "outputNode"):
        if sum(node["type"] == kind for node in nodes.values()) != 1:
            raise invalid("nodes", f"there must be exactly one {kind}")
    output = next(identifier for identifier, node in nodes.items() if node["type"] == "outputNode")
    allowed_before = {
        "inputNode": set(), "expressionNode": {"inputNode", "expressionNode"}, "decisionTableNode": {"inputNode", "expressionNode"},
        "outputNode": {"decisionTableNode"},
    }  # fmt: skip
    expressions = {identifier for identifier, node in nodes.items() if node["type"] == "expressionNode"}
    for identifier, node in nodes.items():
        sources = {nodes[source]["type"] for source in before[identifier]}
        if not sources <= allowed_before[node["type"]] or (node["type"] != "inputNode" and not sources):
            raise invalid(_name(node), "is not connected as input, expressions, tables, output")
        if node["type"] == "decisionTableNode" and identifier not in before[output]:
            raise invalid(_name(node), "must lead to the output")
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise invalid("edges", "the graph has a cycle") from error
    _check_expression_line([i for i in order if i in expressions], nodes, before)
    return nodes, before


def _check_expression_line(line: list[str], nodes: dict[str, dict[str, Any]], before: dict[str, set[str]]) -> None:
    """Expression nodes form one line and every table comes after its end, so that a derived column means the same everywhere."""
    for earlier, later in pairwise(line):
        if before[later] != {earlier}:
            raise invalid(_name(nodes[later]), "expression nodes must form one line")
    for identifier, node in nodes.items():
        if line and node["type"] == "decisionTableNode" and before[identifier] != {line[-1]}:
            raise invalid(_name(node), "must come after the last expression node")


def _derive(node: dict[str, Any], derived: DerivedColumns) -> None:
    content = _content(node)
    if content.get("passThrough") is not True or content.get("outputPath") or content.get("inputField"):
        raise invalid(_name(node), "must pass its input through, without input field or output path")
    for expression in _items(content, "expressions", _name(node)):
        key, text = expression.get("key"), expression.get("value")
        place = f"{_name(node)}.{key}"
        if not isinstance(key, str) or not key.isidentifier() or key in derived or not isinstance(text, str):
            raise invalid(place, "needs a key of its own and a text as value")
        try:
            derived.define(key, parse_expression(text))
        except ExpressionError as error:
            raise invalid(place, str(error)) from error


def _table(node: dict[str, Any], derived: DerivedColumns, look: Callable[[], None]) -> DecisionTable:
    name, content = _name(node), _content(node)
    if content.get("hitPolicy") not in ("collect", "first"):
        raise invalid(name, "the hit policy must be collect or first")
    if content.get("inputField") or content.get("passThrough") or content.get("executionMode", "single") != "single":
        raise invalid(name, "must run once on the whole input and pass nothing through")
    if not isinstance(content.get("outputPath"), str) or not content["outputPath"]:
        raise invalid(name, "needs an output path")
    outputs = {column["id"]: column["field"] for column in _columns(content, "outputs", name)}
    rows = _items(content, "rules", name)
    if len(rows) > MAX_ROWS:
        raise invalid(name, f"has more than {MAX_ROWS} rows")
    inputs = _columns(content, "inputs", name)
    parsed = []
    for number, row in enumerate(rows, 1):
        look()
        parsed.append(_row(row, f"{name}.row {number}", inputs, outputs, derived))
    return DecisionTable(name, content["hitPolicy"] == "first", frozenset(outputs.values()), tuple(parsed))


def _columns(content: Mapping[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    columns = _items(content, key, name)
    for column in columns:
        field = "" if column.get("field") is None else column["field"]
        if not isinstance(column.get("id"), str) or not isinstance(field, str):
            raise invalid(f"{name}.{key}", "every column needs an id, and a text as field")
        if key == "outputs" or field:
            if not field.isidentifier():
                raise invalid(f"{name}.{key}", f"{field!r} is not the name of a column")
            column["field"] = field
    if len({column["id"] for column in columns}) != len(columns):
        raise invalid(f"{name}.{key}", "two columns have the same id")
    if key == "outputs" and len({column["field"] for column in columns}) != len(columns):
        raise invalid(f"{name}.{key}", "two columns have the same field")
    return columns


def _row(row: Mapping[str, Any], place: str, inputs: list[dict[str, Any]], outputs: Mapping[str, str], derived: DerivedColumns) -> Row:
    conditions = []
    for column in inputs:
        text = _cell(row, column["id"])
        heading = column.get("field") or column.get("name") or "expression"
        if text is None:
            raise invalid(f"{place}.{heading}", "a cell must be a text")
        if not text:
            continue
        try:
            node = parse_unary(text, Column(column["field"])) if column.get("field") else parse_expression(text)
            node = derived.put_in(node)
        except ExpressionError as error:
            raise invalid(f"{place}.{heading}", str(error)) from error
        if not any(columns_of(node)):
            raise invalid(f"{place}.{heading}", "does not depend on any column")
        conditions.append(Condition(heading, text, node))
    return Row(place, tuple(conditions), _outputs(row, place, outputs))


def _outputs(row: Mapping[str, Any], place: str, outputs: Mapping[str, str]) -> dict[str, float | int | str | bool]:
    values: dict[str, float | int | str | bool] = {}
    for identifier, field in outputs.items():
        text = _cell(row, identifier)
        if text is None:
            raise invalid(f"{place}.{field}", "a cell must be a text")
        if not text:
            continue
        try:
            node = parse_expression(text)
        except ExpressionError as error:
            raise invalid(f"{place}.{field}", str(error)) from error
        if not isinstance(node, Literal) or node.value is None:
            raise invalid(f"{place}.{field}", "must be a number or a quoted text")
        values[field] = node.value
    return values


def _cell(row: Mapping[str, Any], identifier: str) -> str | None:
    """Return a cell's text without blanks around it, empty when there is none; None for what is no text, a bare 0 or false among them."""
    value = row.get(identifier)
    if value is None:
        return ""
    return value.strip(BLANKS) if isinstance(value, str) else None


def _content(node: Mapping[str, Any]) -> dict[str, Any]:
    content = node.get("content")
    if not isinstance(content, dict):
        raise invalid(_name(node), "has no content")
    return content


def _items(holder: Mapping[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    items = holder.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise invalid(name, f"{key} must be a list of objects")
    return items


def _name(node: Mapping[str, Any]) -> str:
    return str(node.get("name") or node.get("id"))[:80]
