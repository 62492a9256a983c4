"""Every way in which a run can be uneven is a finding, and an even one has none."""

from dataclasses import replace
from typing import Any

import pytest
from drills.checks.balance import Audited, Decision, Told, balance

STREAMED, CALLED = b"\x01" * 16, b"\x02" * 16
REASONS = ("R_AMOUNT_HIGH",)


def decision(trace: bytes, digest: bytes = b"d") -> Decision:
    return Decision(trace, digest, "retail", "OUTCOME_REVIEW", REASONS, False)


EVEN = Told(
    streamed=frozenset({STREAMED}),
    replies={CALLED: ("b", b"d")},
    unanswered=frozenset(),
    decisions={"a": decision(STREAMED), "b": decision(CALLED)},
    contradictory=0,
    audited={"a": Audited("retail", "OUTCOME_REVIEW", REASONS), "b": Audited("retail", "OUTCOME_REVIEW", REASONS)},
    dead_letters={"TOO_OLD": 2},
    expected_dead_letters={"TOO_OLD": 2},
    counted_by_audit=2,
    other_leaves={"gap": 0},
)


def test_an_even_run() -> None:
    verdict = balance(EVEN)
    assert (verdict.ids_in, verdict.decided, verdict.audited, verdict.never_taken, verdict.findings) == (2, 2, 2, 0, ())
    assert verdict.even


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"decisions": {"b": decision(CALLED)}}, "1 transactions were lost: " + STREAMED.hex()),
        ({"decisions": {**EVEN.decisions, "c": decision(STREAMED)}}, "1 transactions were decided twice"),
        ({"decisions": {**EVEN.decisions, "c": decision(b"\x09" * 16)}}, "1 decisions of transactions that nobody sent: c"),
        ({"audited": {"a": EVEN.audited["a"]}}, "1 decisions are not in the audit log: b"),
        ({"audited": {**EVEN.audited, "c": EVEN.audited["a"]}}, "1 audit records without a decision: c"),
        ({"audited": {**EVEN.audited, "a": Audited("retail", "OUTCOME_APPROVE", REASONS)}}, "audit records say something else"),
        ({"audited": {**EVEN.audited, "a": Audited("rural", "OUTCOME_REVIEW", REASONS)}}, "audit records say something else"),
        ({"replies": {CALLED: ("b", b"other")}}, "1 replies differ from the topic: b"),
        ({"replies": {CALLED: ("z", b"d")}}, "1 replies differ from the topic: z"),
        ({"contradictory": 1}, "1 records of a decision id differ"),
        ({"counted_by_audit": 3}, "the audit service counts 3 records, its log holds 2"),
        ({"dead_letters": {}}, "dead letters {}, expected {'TOO_OLD': 2}"),
        ({"other_leaves": {"gap": 1}}, "1 gap leaves in the audit log"),
    ],
)
def test_an_uneven_run(change: dict[str, Any], finding: str) -> None:
    verdict = balance(replace(EVEN, **change))
    assert not verdict.even
    assert any(finding in found for found in verdict.findings), verdict.findings


def test_a_call_that_was_never_answered_is_in_only_when_it_was_decided() -> None:
    lost_reply, never = b"\x03" * 16, b"\x04" * 16
    told = replace(
        EVEN,
        unanswered=frozenset({lost_reply, never}),
        decisions={**EVEN.decisions, "c": decision(lost_reply)},
        audited={**EVEN.audited, "c": EVEN.audited["a"]},
        counted_by_audit=3,
    )
    verdict = balance(told)
    assert (verdict.ids_in, verdict.decided, verdict.never_taken, verdict.findings) == (3, 3, 1, ())


def test_a_call_without_an_answer_whose_transaction_was_streamed_must_be_decided() -> None:
    verdict = balance(replace(EVEN, unanswered=frozenset({STREAMED})))
    assert (verdict.ids_in, verdict.never_taken, verdict.even) == (2, 0, True)
    assert not balance(replace(EVEN, unanswered=frozenset({STREAMED}), decisions={"b": decision(CALLED)})).even
