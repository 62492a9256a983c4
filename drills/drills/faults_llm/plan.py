"""What is asked and what is broken, in which order: functions of the seed alone, so that a campaign can be repeated and resumed. Pure.

Surprising: faults of transfers are not injected by the campaign but drawn inside faulty engines from the id of the hand-off (`shims`);
here only their share is fixed. Every request is numbered, and its number says everything about it: prompt, sampling, whether it is
cancelled and in which phase.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

ROLES = (
    "gateway", "router", "inference-prefill", "inference-decode", "prefill stub", "decode stub", "triton-prefill", "triton-decode",
)  # fmt: skip
COPIES = 2
PROMPTS = 48
MAX_OUTPUT_TOKENS = 40
_PROMPT_TOKENS, _OUTPUT_TOKENS = (8, 300), (1, MAX_OUTPUT_TOKENS)
_HEALTHY_S = (0.5, 3.0)


class Phase(StrEnum):
    """When a request is cancelled, as its caller sees it."""

    ADMISSION = "admission"  # before anything came
    PREFILL = "prefill"  # after it was admitted, before the first token: reading, waiting, handing over
    DECODE = "decode"  # in the middle of the answer


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `temperature` 0 is greedy; `cancel` None: it is read to its end. `after`: tokens read before a cancellation in DECODE.

    `delay_s`: waited before a cancellation in the other phases.
    """

    number: int
    prompt: int
    output_tokens: int
    temperature: float
    seed: int
    choices: int
    cancel: Phase | None = None
    after: int = 0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to one process of a role, `after_s` of healthy flow."""

    role: str
    copy: int
    after_s: float

    def __str__(self) -> str:
        return f"kill {self.role} {self.copy}"


def prompts(seed: int, vocabulary: int, special: frozenset[int] = frozenset()) -> list[list[int]]:
    """Token ids of every prompt; some share their beginning, so that prefixes are found again."""
    rng = random.Random(f"{seed} prompts")
    usable = [token for token in range(vocabulary) if token not in special]
    heads = [rng.choices(usable, k=160) for _ in range(4)]
    found = []
    for number in range(PROMPTS):
        own = rng.choices(usable, k=rng.randint(*_PROMPT_TOKENS))
        found.append((heads[number % 4] + own)[: _PROMPT_TOKENS[1]] if number % 3 == 0 else own)
    return found


def ask(seed: int, number: int, cancelled_share: float) -> Ask:
    """Request `number` of a campaign."""
    rng = random.Random(f"{seed} ask {number}")
    cancel = rng.choice(list(Phase)) if rng.random() < cancelled_share else None
    output = rng.randint(*_OUTPUT_TOKENS)
    return Ask(
        number=number,
        prompt=rng.randrange(PROMPTS),
        output_tokens=output,
        temperature=rng.choice((0.0, 0.0, 0.0, 0.8)),
        seed=rng.randrange(1, 9),
        choices=2 if rng.random() < 0.05 else 1,
        cancel=cancel,
        after=rng.randint(1, max(output - 1, 1)),
        delay_s=rng.uniform(0.0, 0.02) if cancel is Phase.ADMISSION else rng.uniform(0.0, 0.12),
    )


def kills(seed: int, each: int, roles: Sequence[str] = ROLES) -> list[Kill]:
    """`each` kills of every role; every round kills each role once, in an order of its own."""
    rng = random.Random(f"{seed} kills")
    return [
        Kill(role, rng.randint(1, COPIES), rng.uniform(*_HEALTHY_S)) for _ in range(each) for role in rng.sample(list(roles), len(roles))
    ]
