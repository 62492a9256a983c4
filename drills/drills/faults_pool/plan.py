"""What is done to which engine, in which order, and how soon it must be isolated: functions of the seed alone. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from drills.faults_llm.plan import PROMPTS, Ask

ROLES = ("prefill", "decode")
COPIES = 2


class Kind(StrEnum):
    """What goes wrong with an engine."""

    CRASH = "crash"  # its Triton is killed
    HANG = "hang"  # its Triton and everything below is stopped
    SLOW = "slow"  # each step takes more than half a second
    WRONG = "wrong"  # every token gets its neighbour's numbers


LIMIT_S: Mapping[Kind, float] = {Kind.CRASH: 5.0, Kind.HANG: 5.0, Kind.SLOW: 15.0, Kind.WRONG: 15.0}
SLOW_S = 0.6


@dataclass(frozen=True, slots=True)
class Injection:
    """One trouble of one engine, after so long of healthy flow."""

    kind: Kind
    role: str
    copy: int
    after_s: float

    @property
    def row(self) -> str:
        """Its row of the process table, which is its worker's name as well."""
        return f"triton-{self.role}" + ("" if self.copy == 1 else f"-{self.copy}")

    def __str__(self) -> str:
        return f"{self.kind} {self.row}"


def injections(seed: int, each: int, kinds: Sequence[Kind] = tuple(Kind)) -> list[Injection]:
    """`each` of every kind; the engines take turns, so that none is in trouble again before it is well for long."""
    rng = random.Random(f"{seed} injections")
    engines = [(role, copy) for copy in range(1, COPIES + 1) for role in ROLES]
    found = []
    for turn in range(each):
        for number, kind in enumerate(rng.sample(list(kinds), len(kinds))):
            role, copy = engines[(turn + number) % len(engines)]
            found.append(Injection(kind, role, copy, rng.uniform(0.5, 2.0)))
    return found


def ask(seed: int, number: int) -> Ask:
    """Request `number` of a campaign: greedy, so that one oracle answers for all."""
    rng = random.Random(f"{seed} pool {number}")
    return Ask(number, prompt=rng.randrange(PROMPTS), output_tokens=rng.randint(4, 40), temperature=0.0, seed=1, choices=1)
