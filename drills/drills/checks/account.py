"""The verdict of a campaign: bytes and ids compared, not counts. Pure: what outsiders know in, findings out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

_SHOWN = 3
RECOVERY_LIMIT_S = 30.0
DEGRADED_LIMIT = 0.01


@dataclass(frozen=True, slots=True)
class First:
    """First record of a decision id on the topic. `commitment`: what an audit record must commit to. `decided_s`: epoch seconds."""

    trace: bytes
    digest: bytes
    commitment: bytes
    decided_s: float
    degraded: bool


@dataclass(frozen=True, slots=True)
class Window:
    """A fault, from its begin (epoch seconds) until decisions flowed again and what it hit was up. `recovery_s` counts from its end."""

    name: str
    began_s: float
    closed_s: float
    recovery_s: float
    recovered: bool = True


@dataclass
class Known:
    """What outsiders know at the end. Traces identify transactions: senders chose them, the mesh repeats them in its records."""

    streamed: Set[bytes]  # traces acknowledged by the broker
    stream_messages: int  # sent on the stream, repeated ones included, strays not
    asked: Set[bytes]  # traces of calls
    replies: Mapping[bytes, tuple[str, bytes]]  # trace: (decision id, SHA-256 of the decision record in the reply)
    decisions: Mapping[str, First]
    contradicted: Mapping[str, int]  # decision id: later records with other bytes
    leaves: Mapping[str, Sequence[bytes]]  # decision id: commitments of its audit records
    gap_leaves: int
    conflict_leaves: int
    dead_letters: Mapping[str, int]
    expected_dead_letters: Mapping[str, int]
    windows: Sequence[Window]
    planned: int  # faults


@dataclass(frozen=True)
class Account:
    """The counts of the last line, and what is wrong in words."""

    injected: int
    inputs: int
    distinct: int
    decided: int
    duplicates: int
    dead_lettered: int
    degraded: int
    lost: int
    contradictory: int
    audited: int
    audit_gaps: int
    recovery_s_max: float
    findings: tuple[str, ...] = field(default=())

    @property
    def held(self) -> bool:
        """Every target was met."""
        return not self.findings

    def as_json(self) -> dict[str, int | float]:
        """The counts by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "findings"}


def account(known: Known) -> Account:
    """Compare everything with everything."""
    by_trace: dict[bytes, set[str]] = defaultdict(set)
    for decision_id, first in known.decisions.items():
        by_trace[first.trace].add(decision_id)
    taken = known.streamed | set(known.replies) | (known.asked & set(by_trace))
    lost = {trace.hex() for trace in taken - set(by_trace)}
    wrong = _contradictory(known, by_trace)
    unaudited = set(known.decisions) - set(known.leaves)
    dead = sum(known.dead_letters.values())
    arrivals = known.stream_messages + len(known.asked & taken)
    findings = [f"{len(lost)} transactions were lost: {_some(lost)}"] if lost else []
    findings += [f"{len(ids)} {what}: {_some(ids)}" for what, ids in wrong.items() if ids]
    findings += [f"{len(unaudited)} decisions are not in the audit log: {_some(unaudited)}"] if unaudited else []
    findings += [f"{known.gap_leaves} gap leaves in the audit log"] if known.gap_leaves else []
    findings += [f"{known.conflict_leaves} conflict leaves in the audit log"] if known.conflict_leaves else []
    if dict(known.dead_letters) != dict(known.expected_dead_letters):
        findings.append(f"dead letters {dict(known.dead_letters)}, expected {dict(known.expected_dead_letters)}")
    if len(known.windows) < known.planned:
        findings.append(f"{known.planned - len(known.windows)} faults were not injected: time was up")
    late = [window for window in known.windows if not window.recovered or window.recovery_s >= RECOVERY_LIMIT_S]
    findings += [f"{window.name}: no recovery within {window.recovery_s:.1f} s" for window in late]
    findings += _too_degraded(known)
    return Account(
        injected=len(known.windows),
        inputs=arrivals + dead,
        distinct=len(taken),
        decided=len(known.decisions),
        duplicates=arrivals - len(taken),
        dead_lettered=dead,
        degraded=sum(first.degraded for first in known.decisions.values()),
        lost=len(lost),
        contradictory=len(set().union(*wrong.values())),
        audited=sum(len(leaves) == 1 for leaves in known.leaves.values()),
        audit_gaps=len(unaudited) + known.gap_leaves,
        recovery_s_max=round(max((window.recovery_s for window in known.windows), default=0.0), 2),
        findings=tuple(findings),
    )


def _contradictory(known: Known, by_trace: Mapping[bytes, set[str]]) -> dict[str, set[str]]:
    """Decision ids by what contradicts them."""
    told = known.replies.values()
    return {
        "ids have later records with other bytes": set(known.contradicted),
        "ids belong to transactions that were decided twice": {i for ids in by_trace.values() if len(ids) > 1 for i in ids},
        "replies differ from the topic": {i for i, digest in told if _digest(known.decisions.get(i)) != digest},
        "audit records commit to other bytes": {
            i for i, leaves in known.leaves.items() if i in known.decisions and set(leaves) != {known.decisions[i].commitment}
        },
        "ids have more than one audit record": {i for i, leaves in known.leaves.items() if len(leaves) > 1},
        "audit records are of no decision": set(known.leaves) - set(known.decisions),
    }


def _digest(first: First | None) -> bytes:
    return first.digest if first is not None else b""


def outside(known: Known) -> list[First]:
    """Decisions made outside of every fault window, in order of time."""
    found = [first for first in known.decisions.values() if not any(w.began_s <= first.decided_s <= w.closed_s for w in known.windows)]
    return sorted(found, key=lambda first: first.decided_s)


def _too_degraded(known: Known) -> list[str]:
    """Degraded decisions outside of every window, if they are more than the limit."""
    found = outside(known)
    degraded = sum(first.degraded for first in found)
    if degraded <= DEGRADED_LIMIT * len(found):
        return []
    return [f"{degraded} of {len(found)} decisions outside of fault windows were degraded"]


def _some(names: Set[str]) -> str:
    return ", ".join(sorted(names)[:_SHOWN])
