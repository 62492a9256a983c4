"""Whether two numbers say the same thing: kind, unit, bound, and magnitude at the stated precision."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum

from claims import polarity
from claims.bounds import FAMILY
from claims.units import Kind
from claims.values import Value


class Match(Enum):
    """Equal; of one measure and different; nothing that can be compared."""

    EQUAL = 1
    DIFFERENT = 2
    OTHER = 3


_WEAK_COUNTS = frozenset(
    ("", "个", "项", "种", "件", "款", "条", "次", "人", "名", "位", "人次", "person", "people", "client", "customer", "户", "家")
)
_SAME_COUNTS = (
    {"人", "名", "位", "person", "people", "employee", "人次"},
    {"户", "客户", "client", "customer", "account"},
    {"家", "compan", "branche", "office"},
)
_LIMIT = re.compile(r"最高|最多|上限|限额|最低|最少|起付|至多|至少|下限|limit|maximum|minimum|\bcap\b|up to|at least|at most")
_SIGNED = re.compile(r"亏损|净亏|流出|负|loss|outflow|deficit|negative|used in")


def numbers(claim: Value, evidence: Value, claim_text: str = "", evidence_text: str = "") -> Match:
    """Compare two values; the texts are the clauses that they stand in, for limits in words and for signs in words (下降3% is -3%)."""
    measure = _measures(claim, evidence)
    if measure is not Match.EQUAL:
        return measure
    one = replace(claim, magnitude=claim.magnitude * 100, quantum=claim.quantum * 100) if _is_times(claim, evidence) else claim
    two = replace(evidence, magnitude=evidence.magnitude * 100, quantum=evidence.quantum * 100) if _is_times(evidence, claim) else evidence
    if not _same_bound(claim, evidence, claim_text, evidence_text):
        return Match.DIFFERENT
    if one.states(two):
        return Match.EQUAL
    if (one.magnitude < 0) != (two.magnitude < 0) and replace(one, magnitude=-one.magnitude).states(two):
        positive = claim_text if one.magnitude >= 0 else evidence_text
        if _SIGNED.search(positive) or 0 in polarity.of(positive).poles.get("rise", ()):
            return Match.EQUAL
    return Match.DIFFERENT


def _is_times(one: Value, two: Value) -> bool:
    return one.kind is Kind.MULTIPLE and two.kind is Kind.RATIO


def _measures(claim: Value, evidence: Value) -> Match:
    kinds = {claim.kind, evidence.kind}
    if claim.kind is evidence.kind:
        return _units(claim, evidence)
    if kinds == {Kind.MULTIPLE, Kind.RATIO}:
        ratio = claim if claim.kind is Kind.RATIO else evidence
        return Match.EQUAL if ratio.unit == "percent" else Match.OTHER
    if kinds == {Kind.AGE, Kind.DURATION}:
        return Match.DIFFERENT
    if Kind.NUMBER in kinds:
        return _bare(claim, evidence)
    return Match.OTHER


def _units(claim: Value, evidence: Value) -> Match:
    if claim.unit == evidence.unit:
        return Match.EQUAL
    pair = {claim.unit, evidence.unit}
    if claim.kind is Kind.RATIO:
        return Match.DIFFERENT if pair == {"percent", "point"} else Match.EQUAL
    if claim.kind is Kind.DURATION:
        seconds = {"second": 1, "minute": 60, "hour": 3600}
        if pair <= set(seconds):
            same = claim.magnitude * seconds[claim.unit] == evidence.magnitude * seconds[evidence.unit]
            return Match.OTHER if not same else Match.EQUAL
        return Match.DIFFERENT
    if claim.kind is Kind.COUNT:
        if any(pair <= group for group in _SAME_COUNTS) or "" in pair:
            return Match.EQUAL
        return Match.EQUAL if claim.unit in _WEAK_COUNTS and evidence.unit in ("", "个", "项", "种") else Match.DIFFERENT
    return Match.DIFFERENT


def _bare(claim: Value, evidence: Value) -> Match:
    """One side names no unit. A claim may not add one, but 元 after 亿, and a count; nor may it leave one out, but that of a count."""
    other = evidence if claim.kind is Kind.NUMBER else claim
    if other.kind is Kind.COUNT:
        return Match.EQUAL
    if other.kind is Kind.MONEY and other.unit == "CNY" and claim.scaled and evidence.scaled:
        return Match.EQUAL
    if other.kind is Kind.RATIO and other.unit in ("percent", "bp", "point"):
        return Match.DIFFERENT
    return Match.DIFFERENT if claim.kind is Kind.NUMBER else Match.OTHER


def _same_bound(claim: Value, evidence: Value, claim_text: str, evidence_text: str) -> bool:
    one, two = FAMILY[claim.bound], FAMILY[evidence.bound]
    if one == two:
        return True
    if one and two:
        return False
    return _LIMIT.search(claim_text if not one else evidence_text) is not None
