"""Each kind of loss and contradiction is found, by its own name, and nothing is found in a run that was even."""

from dataclasses import replace
from typing import Any

import pytest
from drills.checks.account import First, Known, Window, account

A, B, C = b"trace-a", b"trace-b", b"trace-c"


def first(trace: bytes, *, decided_s: float = 50.0, degraded: bool = False) -> First:
    return First(trace, b"digest " + trace, b"commitment " + trace, decided_s, degraded)


EVEN = Known(
    streamed={A, B},
    stream_messages=3,
    asked={B, C},
    replies={B: ("b", b"digest " + B), C: ("c", b"digest " + C)},
    decisions={"a": first(A), "b": first(B), "c": first(C)},
    contradicted={},
    leaves={"a": [b"commitment " + A], "b": [b"commitment " + B], "c": [b"commitment " + C]},
    gap_leaves=0,
    conflict_leaves=0,
    dead_letters={"MALFORMED": 2},
    expected_dead_letters={"MALFORMED": 2},
    windows=[Window("kill redis", 10.0, 12.0, 1.25)],
    planned=1,
)


def test_an_even_run_has_no_findings_and_its_counts_add_up() -> None:
    found = account(EVEN)
    assert found.held
    assert found.as_json() == {
        "injected": 1, "inputs": 7, "distinct": 3, "decided": 3, "duplicates": 2, "dead_lettered": 2, "degraded": 0, "lost": 0,
        "contradictory": 0, "audited": 3, "audit_gaps": 0, "recovery_s_max": 1.25,
    }  # fmt: skip
    assert found.inputs == found.distinct + found.duplicates + found.dead_lettered


@pytest.mark.parametrize(
    ("change", "words", "counts"),
    [
        ({"decisions": {"b": first(B), "c": first(C)}, "leaves": {"b": EVEN.leaves["b"], "c": EVEN.leaves["c"]}}, "lost", {"lost": 1}),
        ({"contradicted": {"a": 1}}, "other bytes", {"contradictory": 1}),
        ({"replies": {**EVEN.replies, B: ("b", b"other")}}, "replies differ", {"contradictory": 1}),
        ({"replies": {**EVEN.replies, B: ("elsewhere", b"digest " + B)}}, "replies differ", {"contradictory": 1}),
        ({"leaves": {**EVEN.leaves, "a": [b"other"]}}, "commit to other bytes", {"contradictory": 1}),
        ({"leaves": {**EVEN.leaves, "a": EVEN.leaves["a"] * 2}}, "more than one audit record", {"contradictory": 1, "audited": 2}),
        ({"leaves": {**EVEN.leaves, "x": [b"any"]}}, "of no decision", {"contradictory": 1}),
        ({"leaves": {"a": EVEN.leaves["a"], "b": EVEN.leaves["b"]}}, "not in the audit log", {"audited": 2, "audit_gaps": 1}),
        ({"gap_leaves": 1}, "gap leaves", {"audit_gaps": 1}),
        ({"conflict_leaves": 2}, "conflict leaves", {}),
        ({"dead_letters": {}}, "dead letters", {"dead_lettered": 0}),
        ({"planned": 3}, "2 faults were not injected", {}),
        ({"windows": [Window("kill redis", 10.0, 50.0, 31.0)]}, "no recovery", {"recovery_s_max": 31.0}),
        ({"windows": [Window("kill redis", 10.0, 20.0, 9.0, recovered=False)]}, "no recovery", {}),
        ({"decisions": {**EVEN.decisions, "a": first(A, degraded=True)}}, "outside of fault windows", {"degraded": 1}),
    ],
)
def test_what_is_wrong_is_found(change: dict[str, Any], words: str, counts: dict[str, int]) -> None:
    found = account(replace(EVEN, **change))
    assert not found.held
    assert any(words in finding for finding in found.findings), found.findings
    assert counts.items() <= found.as_json().items()


def test_a_transaction_that_was_decided_twice_is_a_contradiction() -> None:
    twice = {**EVEN.decisions, "a2": first(A)}
    found = account(replace(EVEN, decisions=twice, leaves={**EVEN.leaves, "a2": EVEN.leaves["a"]}))
    assert found.contradictory == 2
    assert "decided twice" in found.findings[0]


def test_degraded_decisions_inside_a_window_are_what_windows_are_for() -> None:
    inside = {**EVEN.decisions, "a": first(A, decided_s=11.0, degraded=True)}
    assert account(replace(EVEN, decisions=inside)).held


def test_a_call_that_was_never_answered_is_lost_only_if_nobody_else_was_told() -> None:
    found = account(replace(EVEN, asked={B, C, b"trace-d"}))
    assert found.held
    assert found.distinct == 3
