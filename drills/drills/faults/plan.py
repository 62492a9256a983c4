"""What is broken, in which order and for how long: a function of the seed alone, so that a campaign can be repeated. Pure.

Every round breaks each kind once, in an order of its own. Surprising: every other stop of the stream lasts longer than its transaction
and its group session (10 s each), so that it wakes up as a zombie whose partitions and transactions are gone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

TARGETS = ("risk-stream", "risk-rpc", "audit", "gateway", "redis", "triton", "kafka")
ALL = "all"
_STOP_S, _ZOMBIE_S, _SLOW_S, _HEALTHY_S = (1.0, 5.0), (10.5, 13.0), (2.0, 5.0), (0.5, 2.5)


class Kind(StrEnum):
    """Kind of fault."""

    KILL = "kill"  # SIGKILL; the supervisor starts it again
    STOP = "stop"  # SIGSTOP, some seconds later SIGCONT
    SLOW = "slow"  # every byte to and from Redis is late
    FORGET = "forget"  # SIGKILL of Redis, and the end of its append-only file is gone when it comes back
    SHUFFLE = "shuffle"  # everything ends and starts again, in any order


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `after_s`: of undisturbed flow before it; `lasts_s`: 0 for what is over at once."""

    kind: Kind
    target: str
    after_s: float
    lasts_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


KINDS: tuple[tuple[Kind, str], ...] = (
    *((Kind.KILL, target) for target in TARGETS),
    *((Kind.STOP, target) for target in TARGETS),
    (Kind.SLOW, "redis"),
    (Kind.FORGET, "redis"),
    (Kind.SHUFFLE, ALL),
)


def chosen(only: Sequence[str]) -> list[tuple[Kind, str]]:
    """The kinds that one of `only` names: a kind (stop), a target (redis) or both (stop:redis). ValueError for a word that names none."""
    if not only:
        return list(KINDS)
    for word in only:
        if not any(_names(word, each) for each in KINDS):
            raise ValueError(f"no fault is called {word}: choose from {', '.join(sorted({k for k, _ in KINDS} | {t for _, t in KINDS}))}")
    return [each for each in KINDS if any(_names(word, each) for word in only)]


def _names(word: str, each: tuple[Kind, str]) -> bool:
    kind, target = each
    return word in (str(kind), target, f"{kind}:{target}")


def sequence(count: int, seed: int, only: Sequence[str] = ()) -> list[Fault]:
    """`count` faults of each chosen kind. Raises ValueError."""
    kinds, rng = chosen(only), random.Random(seed)
    faults = []
    for number in range(count):
        for kind, target in rng.sample(kinds, len(kinds)):
            bounds = {Kind.STOP: _STOP_S, Kind.SLOW: _SLOW_S}.get(kind, (0.0, 0.0))
            if (kind, target) == (Kind.STOP, "risk-stream") and number % 2:
                bounds = _ZOMBIE_S
            faults.append(Fault(kind, target, rng.uniform(*_HEALTHY_S), rng.uniform(*bounds)))
    return faults
