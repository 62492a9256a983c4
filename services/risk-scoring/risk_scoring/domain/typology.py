"""Typologies: patterns of fraud, each a weighted combination of rules with a level that alerts and a level that blocks (as in Tazama).

They stand in two decision tables beside the rules, so that the same people edit them in the same editor: one row per typology
(``typology, reason, alert_at, block_at``) and one row per member (``typology, rule, weight``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from risk_scoring.domain.decision_table import DecisionTable, Row, invalid
from risk_scoring.domain.reasons import REASONS

TYPOLOGY_FIELDS = frozenset({"typology", "reason", "alert_at", "block_at"})
MEMBER_FIELDS = frozenset({"typology", "rule", "weight"})
MAX_WEIGHT = 1000
MAX_TYPOLOGIES = 200


@dataclass(frozen=True, slots=True)
class Typology:
    """One typology. A score of ``alert_at`` asks for a review, one of ``block_at`` for a decline (inside the decline cap)."""

    id: str
    reason: str
    alert_at: int
    block_at: int
    members: Mapping[str, int]  # rule id to weight


def build_typologies(tables: Iterable[DecisionTable], rule_ids: Collection[str]) -> tuple[Typology, ...]:
    """Read typologies and members from their tables; raises InvalidArgument (INVALID_RULE_SET). Every typology needs a member."""
    declared: dict[str, Row] = {}
    members: dict[str, dict[str, int]] = {}
    tables = tuple(tables)
    for row in (row for table in tables if table.fields == TYPOLOGY_FIELDS for row in table.rows):
        identifier = text_output(row, "typology")
        if row.conditions or identifier in declared:
            raise invalid(row.place, "a typology has an id of its own and no conditions")
        declared[identifier] = row
    for row in (row for table in tables if table.fields == MEMBER_FIELDS for row in table.rows):
        identifier, rule = text_output(row, "typology"), text_output(row, "rule")
        if row.conditions or identifier not in declared or rule not in rule_ids or rule in members.get(identifier, {}):
            raise invalid(row.place, "a member names a declared typology and a declared rule, once, without conditions")
        members.setdefault(identifier, {})[rule] = whole_output(row, "weight", 1)
    if len(declared) > MAX_TYPOLOGIES:
        raise invalid("nodes", f"there are more than {MAX_TYPOLOGIES} typologies")
    return tuple(_typology(identifier, row, members.get(identifier, {})) for identifier, row in declared.items())


def _typology(identifier: str, row: Row, members: dict[str, int]) -> Typology:
    reason = text_output(row, "reason")
    if reason not in REASONS:
        raise invalid(f"{row.place}.reason", f"{reason!r} is not a known reason code")
    alert_at, block_at = whole_output(row, "alert_at", 1), whole_output(row, "block_at", 1)
    if not members or alert_at > block_at or sum(members.values()) < alert_at:
        raise invalid(row.place, "needs members that can reach alert_at, and alert_at <= block_at")
    return Typology(identifier, reason, alert_at, block_at, members)


def text_output(row: Row, field: str) -> str:
    """The text of an output cell; raises InvalidArgument when it is missing or no text."""
    value = row.outputs.get(field)
    if not isinstance(value, str) or not value:
        raise invalid(f"{row.place}.{field}", "must be a quoted text")
    return value


def whole_output(row: Row, field: str, minimum: int) -> int:
    """The whole number of an output cell, ``minimum`` to ``MAX_WEIGHT``; whole: sums in float32 stay exact. Raises InvalidArgument."""
    value = row.outputs.get(field)
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= MAX_WEIGHT:
        raise invalid(f"{row.place}.{field}", f"must be a whole number from {minimum} to {MAX_WEIGHT}")
    return value
