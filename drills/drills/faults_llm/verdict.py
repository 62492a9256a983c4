"""What a campaign found: each answer beside the oracle's, each count beside its limit. Pure.

An answer is wrong when it differs from what the same model says undisturbed; a stream that ended with a typed error must be a beginning
of that. A token that comes twice is told apart from one that is false: the first is a fault of the hand-over, the second of the bytes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

RECOVERY_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended. `error`: reason of a typed error, empty when it was answered to its end; `hung`: nothing was said in time."""

    number: int
    tokens: Mapping[int, Sequence[int]]  # of each choice
    error: str = ""
    cancelled: bool = False
    hung: bool = False
    handed_over: bool = False
    failovers: int = 0
    took_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """Counts so far; what a resumed campaign goes on from."""

    requests: int = 0
    answered: int = 0
    handoffs: int = 0
    failovers: int = 0
    corrupted_tokens: int = 0
    duplicated_tokens: int = 0
    wrong_answers: int = 0
    hung_requests: int = 0
    leaked_blocks: int = 0
    triton_deaths: int = 0
    recovery_s_max: float = 0.0
    kills: dict[str, int] = field(default_factory=dict)
    transfers: dict[str, int] = field(default_factory=dict)
    cancels: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(self.kills.values()) + sum(self.transfers.values()) + sum(self.cancels.values())

    @property
    def broken(self) -> list[str]:
        """What did not hold, as sentences."""
        return self.findings

    @property
    def held(self) -> bool:
        """Whether every promise held."""
        wrong = self.corrupted_tokens + self.duplicated_tokens + self.wrong_answers + self.hung_requests
        return not (wrong + self.leaked_blocks + self.triton_deaths) and self.recovery_s_max <= RECOVERY_LIMIT_S and not self.findings

    def as_json(self) -> dict[str, object]:
        """The last line of the campaign."""
        names = ("corrupted_tokens", "duplicated_tokens", "wrong_answers", "hung_requests", "triton_deaths")
        counts: dict[str, object] = {"handoffs": self.handoffs, "faults": self.faults, "leaked_blocks": self.leaked_blocks}
        counts |= {name: getattr(self, name) for name in names}
        return counts | {"recovery_s_max": round(self.recovery_s_max, 2)}

    def as_state(self) -> dict[str, object]:
        """Everything, for a file."""
        return asdict(self)

    def take(self, outcome: Outcome, oracle: Mapping[int, Sequence[int]]) -> None:
        """Count one request. `oracle`: what each choice says undisturbed, to its end."""
        self.requests += 1
        self.handoffs += outcome.handed_over
        self.failovers += outcome.failovers
        if outcome.hung:
            self.hung_requests += 1
            self.findings.append(f"request {outcome.number} hung")
        whole = not (outcome.error or outcome.cancelled or outcome.hung)
        self.answered += whole
        if outcome.error:
            self.errors[outcome.error] = self.errors.get(outcome.error, 0) + 1
        wrong = False
        for choice, expected in oracle.items():
            found = list(outcome.tokens.get(choice, ()))
            corrupted, duplicated = compare(found, expected, whole=whole)
            self.corrupted_tokens += corrupted
            self.duplicated_tokens += duplicated
            wrong |= bool(corrupted or duplicated)
        if wrong:
            self.wrong_answers += 1
            self.findings.append(f"request {outcome.number} was answered wrong")


def compare(found: Sequence[int], expected: Sequence[int], *, whole: bool) -> tuple[int, int]:
    """(corrupted, duplicated) tokens of an answer, which may be a beginning unless it is `whole`."""
    length = min(len(found), len(expected))
    if list(found[:length]) == list(expected[:length]):
        missing = len(expected) - length if whole else 0
        return missing, len(found) - length
    at = next(position for position in range(length) if found[position] != expected[position])
    if at and list(found[at : at + 1]) == list(found[at - 1 : at]) and _goes_on(found[at + 1 :], expected[at:]):
        return 0, 1
    return sum(a != b for a, b in zip(found, expected, strict=False)) + abs(len(found) - len(expected)) * whole, 0


def _goes_on(found: Sequence[int], expected: Sequence[int]) -> bool:
    length = min(len(found), len(expected))
    return list(found[:length]) == list(expected[:length])


def short_of(
    tally: Tally, *, handoffs: int, kills: int, transfers: int, cancels: int, roles: Sequence[str], kinds: Sequence[str]
) -> list[str]:
    """What a campaign still has to do, as sentences; empty when it is complete."""
    missing = [] if tally.handoffs >= handoffs else [f"{tally.handoffs} of {handoffs} hand-offs"]
    missing += [f"{tally.kills.get(role, 0)} of {kills} kills of {role}" for role in roles if tally.kills.get(role, 0) < kills]
    missing += [f"{tally.transfers.get(kind, 0)} of {transfers} {kind}" for kind in kinds if tally.transfers.get(kind, 0) < transfers]
    phases = Counter(tally.cancels)
    return missing + [
        f"{phases[phase]} of {cancels} cancels in {phase}" for phase in ("admission", "prefill", "decode") if phases[phase] < cancels
    ]
