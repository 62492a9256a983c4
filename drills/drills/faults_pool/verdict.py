"""What a campaign found, and whether every promise held. Pure.

An answer is judged by the oracle: what the model says undisturbed, greedily. A request that ended with an error must be a beginning of it.
A request belongs to a trouble when it began before the engine was isolated; what began later must be right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from drills.faults_llm.verdict import Outcome, compare
from drills.faults_pool.plan import LIMIT_S, Kind

UNMARKED = "STREAM_WITHOUT_END"
"""What the load says of a stream that just stopped."""


@dataclass(frozen=True, slots=True)
class Window:
    """From a trouble to its isolation, monotonic seconds; `until_s` infinite while it is not isolated."""

    began_s: float
    until_s: float

    def has(self, began_s: float, ended_s: float) -> bool:
        """Whether a request ran into it: it began before the isolation and ended after the trouble."""
        return began_s <= self.until_s and ended_s >= self.began_s


@dataclass(slots=True)
class Tally:
    """Counts so far; what a resumed campaign goes on from. Of each kind the seconds to its isolation.

    ``late``: isolations that took longer than their limit, which a loaded machine does too; ``findings``: what is wrong on any machine.
    """

    requests: int = 0
    answered: int = 0
    failovers: int = 0
    substitutions: int = 0
    wrong_after_isolation: int = 0
    wrong_before_isolation: int = 0
    lost_before_first_byte: int = 0
    marked_losses: int = 0
    unmarked: int = 0
    isolated_s: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def injected(self, kind: Kind) -> int:
        """How often it was."""
        return len(self.isolated_s.get(kind, []))

    def isolated(self, kind: Kind, seconds: float, what: str) -> None:
        """Take how long an isolation took."""
        self.isolated_s.setdefault(kind, []).append(round(seconds, 2))
        if seconds > LIMIT_S[kind]:
            self.late.append(f"{what}: isolated after {seconds:.1f} s")

    def take(self, outcome: Outcome, expected: Mapping[int, Sequence[int]], wrong_windows: Sequence[Window], ended_s: float) -> None:
        """Count one request. `wrong_windows`: when an engine answered wrong and was not isolated."""
        self.requests += 1
        self.failovers += outcome.failovers
        whole = not (outcome.error or outcome.hung)
        self.answered += whole
        if outcome.error:
            self.errors[outcome.error] = self.errors.get(outcome.error, 0) + 1
        found, said = list(outcome.tokens.get(0, ())), list(expected[0])
        if outcome.hung or outcome.error == UNMARKED:
            self.unmarked += 1
            self.findings.append(
                f"request {outcome.number}: nothing was said in time" if outcome.hung else f"request {outcome.number}: {UNMARKED}"
            )
        elif outcome.error and not found:
            self.lost_before_first_byte += 1
            self.findings.append(f"request {outcome.number}: {outcome.error} before the first byte")
        elif outcome.error:
            self.marked_losses += 1
        if any(compare(found, said, whole=whole)):
            self._wrong(outcome, wrong_windows, ended_s)

    def _wrong(self, outcome: Outcome, wrong_windows: Sequence[Window], ended_s: float) -> None:
        if any(window.has(ended_s - outcome.took_s, ended_s) for window in wrong_windows):
            self.wrong_before_isolation += 1
            return
        self.wrong_after_isolation += 1
        self.findings.append(f"request {outcome.number} was answered wrong")

    @property
    def broken(self) -> list[str]:
        """What did not hold, as sentences."""
        return self.findings + self.late

    @property
    def held(self) -> bool:
        """Whether every promise held."""
        return not (self.wrong_after_isolation + self.lost_before_first_byte + self.unmarked) and not self.broken

    def as_json(self) -> dict[str, object]:
        """The last line of the campaign."""
        kinds = {
            kind.value: {"injected": len(each), "isolated_s_p50": round(median(each), 2), "isolated_s_max": max(each)}
            for kind in Kind
            if (each := self.isolated_s.get(kind, []))
        }
        names = ("wrong_after_isolation", "lost_before_first_byte", "unmarked", "wrong_before_isolation", "marked_losses", "failovers")
        return {"requests": self.requests, **kinds, **{name: getattr(self, name) for name in names}}

    def as_state(self) -> dict[str, object]:
        """Everything, for a file."""
        return asdict(self)


def short_of(tally: Tally, requests: int, each: int) -> list[str]:
    """What a campaign still has to do, as sentences; empty when it is complete."""
    missing = [] if tally.requests >= requests else [f"{tally.requests} of {requests} requests"]
    return missing + [f"{tally.injected(kind)} of {each} times {kind}" for kind in Kind if tally.injected(kind) < each]
