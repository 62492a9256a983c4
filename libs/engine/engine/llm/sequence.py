"""The state of one request while the engine has it: its phase, rows, and the choices it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from engine.llm.generation import FinishReason, Generation, Usage
from engine.llm.grammar import Matcher


class Phase(Enum):
    """WAITING for rows; PREFILLING its prompt; DECODING; PREFILLED: read, waits to be handed over; ENDED: holds nothing."""

    WAITING = auto()
    PREFILLING = auto()
    DECODING = auto()
    PREFILLED = auto()
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Choice:
    """One answer. ``length``: tokens whose keys and values stand in its row. ``given``: tokens that it started with.

    What is fed next is the first token that is not in the row yet; only after the last known one is a new one chosen. A hand-off and a
    replay start with tokens given and are otherwise answers like any other.
    """

    request: Request
    number: int
    emitted: list[int]
    row: int = -1
    length: int = 0
    given: int = 0
    matcher: Matcher | None = None
    finished: FinishReason | None = None

    @property
    def next_token(self) -> int:
        """The token to feed."""
        return self.emitted[self.length - self.request.length]

    @property
    def is_at_the_end(self) -> bool:
        """Whether what is fed next is the last known token, so that its logits choose a new one."""
        return self.length - self.request.length + 1 == len(self.emitted)


@dataclass(slots=True, eq=False)
class Request:
    """``is_begun``: its turn has come. ``computed``: tokens of the prompt whose keys and values stand in the first row.

    ``ending``: why it shall end, at the next step.
    """

    generation: Generation
    prompt: npt.NDArray[np.int64]
    block_ids: tuple[bytes, ...]
    limit: int
    arrival: int
    choices: list[Choice] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    phase: Phase = Phase.WAITING
    is_begun: bool = False
    computed: int = 0
    cached: int = 0
    output_tokens: int = 0
    busy_s: float = 0.0
    ending: tuple[FinishReason, str, str] | None = None

    @property
    def request_id(self) -> str:
        """The id that it was submitted with."""
        return self.generation.request_id

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return len(self.prompt)

    @property
    def remaining(self) -> int:
        """Tokens of the prompt still to be read."""
        return len(self.prompt) - self.computed

    @property
    def urgency(self) -> tuple[int, float, int]:
        """Order in the queue: higher priority, then earlier deadline, then who came first."""
        deadline = self.generation.deadline
        return -self.generation.priority, float("inf") if deadline is None else deadline, self.arrival

    @property
    def rows_needed(self) -> int:
        """A row for each choice; one when the prompt is only read."""
        return 1 if self.generation.prefill_only else len(self.choices)

    def live(self) -> list[Choice]:
        """Return the choices that go on."""
        return [choice for choice in self.choices if choice.finished is None]

    def usage(self) -> Usage:
        """Return what it has used so far."""
        return Usage(self.length, self.cached, self.output_tokens, self.busy_s * 1e3)
