"""The verdict of a run: distinct ids in = decided = audited, and nothing contradictory. Pure: sets in, findings out."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """First record of a decision id on the topic. `digest` is the SHA-256 of its bytes."""

    trace: bytes
    digest: bytes
    tenant: str
    outcome: str
    reasons: tuple[str, ...]
    degraded: bool


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit log says of a decision."""

    tenant: str
    outcome: str
    reasons: tuple[str, ...]


@dataclass
class Told:
    """What outsiders know. Traces identify transactions: the senders chose them, the mesh repeats them in its records."""

    streamed: Set[bytes]  # acknowledged by the broker
    replies: Mapping[bytes, tuple[str, bytes]]  # trace: (decision id, digest) that a caller was given
    unanswered: Set[bytes]  # asked for, never answered
    decisions: Mapping[str, Decision]
    contradictory: int  # later records of an id with other bytes
    audited: Mapping[str, Audited]
    dead_letters: Mapping[str, int]
    expected_dead_letters: Mapping[str, int]
    counted_by_audit: int  # records, as the audit service states them
    other_leaves: Mapping[str, int] = field(default_factory=dict)  # conflict, poison and gap leaves of the log


@dataclass(frozen=True)
class Balance:
    """`ids_in` are transactions that the mesh took: acknowledged on the stream, answered, or found decided though never answered."""

    ids_in: int
    decided: int
    audited: int
    never_taken: int
    findings: tuple[str, ...]

    @property
    def even(self) -> bool:
        """Everything is where it has to be, once."""
        return not self.findings


def balance(told: Told) -> Balance:
    """Compare ids as well as counts."""
    findings: list[str] = []

    def wrong(what: str, which: Set[str]) -> None:
        if which:
            findings.append(f"{len(which)} {what}: {', '.join(sorted(which)[:_SHOWN])}")

    by_trace: dict[bytes, set[str]] = defaultdict(set)
    for decision_id, decision in told.decisions.items():
        by_trace[decision.trace].add(decision_id)
    asked = told.streamed | set(told.replies)
    taken = asked | (told.unanswered & set(by_trace))
    wrong("transactions were lost", {trace.hex() for trace in taken - set(by_trace)})
    wrong("transactions were decided twice", {trace.hex() for trace, ids in by_trace.items() if len(ids) > 1})
    wrong("decisions of transactions that nobody sent", {i for trace in set(by_trace) - taken for i in by_trace[trace]})
    wrong("decisions are not in the audit log", set(told.decisions) - set(told.audited))
    wrong("audit records without a decision", set(told.audited) - set(told.decisions))
    wrong("audit records say something else than the decision", {i for i, a in told.audited.items() if _differs(told, i, a)})
    wrong("replies differ from the topic", {i for i, digest in told.replies.values() if _other(told.decisions.get(i), digest)})
    if told.contradictory:
        findings.append(f"{told.contradictory} records of a decision id differ from its first one")
    if told.counted_by_audit != len(told.audited):
        findings.append(f"the audit service counts {told.counted_by_audit} records, its log holds {len(told.audited)}")
    if Counter(told.dead_letters) != Counter(told.expected_dead_letters):
        findings.append(f"dead letters {dict(told.dead_letters)}, expected {dict(told.expected_dead_letters)}")
    findings += [f"{count} {kind} leaves in the audit log" for kind, count in told.other_leaves.items() if count]
    return Balance(len(taken), len(told.decisions), len(told.audited), len(told.unanswered - taken), tuple(findings))


def _differs(told: Told, decision_id: str, audited: Audited) -> bool:
    decision = told.decisions.get(decision_id)
    return decision is not None and Audited(decision.tenant, decision.outcome, decision.reasons) != audited


def _other(decision: Decision | None, digest: bytes) -> bool:
    return decision is None or decision.digest != digest
