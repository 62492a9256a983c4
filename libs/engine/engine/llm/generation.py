"""What is asked of the engine, and what it tells: plain values, no state."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

from engine.llm import errors
from engine.llm.errors import Refused
from engine.llm.tool_grammar import ToolCalls

MOST_CHOICES = 4
MOST_TOP_LOGPROBS = 20
NAMESPACE_BYTES = 32
_COLDEST = 1e-5
_HOTTEST = 2.0


Form = str | ToolCalls
"""What an answer must be: JSON of this schema, or calls of tools."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Temperature 0: greedy. top_k 0 and top_p 0 or 1: all. ``seed``: 64 bits."""

    seed: int = 0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    logprobs: bool = False
    top_logprobs: int = 0

    def __post_init__(self) -> None:
        """Raise Refused SAMPLING_INVALID. NaN compares false with everything, so the bounds are asked for, not their opposite."""
        if not (isfinite(self.temperature) and 0 <= self.temperature <= _HOTTEST):
            raise Refused(errors.SAMPLING_INVALID, f"temperature {self.temperature} is outside of 0 to {_HOTTEST:g}")
        if not 0 <= self.top_p <= 1:
            raise Refused(errors.SAMPLING_INVALID, f"top_p {self.top_p} is outside of 0 to 1")
        if self.top_k < 0:
            raise Refused(errors.SAMPLING_INVALID, f"top_k {self.top_k} is negative")
        if not 0 <= self.seed < 1 << 64:
            raise Refused(errors.SAMPLING_INVALID, "the seed is not a number of 64 bits")
        if not 0 <= self.top_logprobs <= MOST_TOP_LOGPROBS:
            raise Refused(errors.SAMPLING_INVALID, f"top_logprobs {self.top_logprobs} is outside of 0 to {MOST_TOP_LOGPROBS}")
        if self.top_p == 0:
            object.__setattr__(self, "top_p", 1.0)

    @property
    def is_greedy(self) -> bool:
        """Whether the best token is taken without a draw; so cold a temperature that no other could be drawn counts."""
        return self.temperature < _COLDEST or self.top_k == 1


@dataclass(frozen=True, slots=True)
class ChoiceStart:
    """One answer of a request, and its tokens so far: of a hand-off the first, of a replay all that were sent."""

    number: int = 0
    emitted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """A prompt to read and answers to write.

    ``namespace``: key of the block ids, 32 bytes; prefixes are shared inside it alone. ``choices``: a row each; those that ended already
    are left out. ``prefill_only``: read the prompt, choose the first tokens, keep the row. ``landed``: the prompt's keys and values stand
    in the first row of ``reservation_id`` already. ``owner``: whose silence ends it (`Engine.touch`); None: nobody's. ``deadline``: on the
    engine's clock, for the time in the queue. ``ignore_end``: for benchmarks.
    """

    request_id: str
    tokens: Sequence[int]
    namespace: bytes
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    choices: tuple[ChoiceStart, ...] = (ChoiceStart(),)
    form: Form | None = None
    stop_ids: frozenset[int] = frozenset()
    ignore_end: bool = False
    prefill_only: bool = False
    landed: bool = False
    reservation_id: str | None = None
    owner: str | None = None
    priority: int = 0
    deadline: float | None = None

    def check(self, vocabulary: int, max_len: int) -> None:
        """Raise Refused with the reason when no row could ever hold it or its fields contradict one another."""
        length = len(self.tokens)
        if not length:
            raise Refused(errors.PROMPT_EMPTY, "the prompt has no tokens")
        if length >= max_len:
            raise Refused(errors.PROMPT_TOO_LONG, f"{length} tokens leave no room for an answer in a row of {max_len}")
        if len(self.namespace) != NAMESPACE_BYTES:
            raise Refused(errors.NAMESPACE_INVALID, f"a namespace has {NAMESPACE_BYTES} bytes, this one {len(self.namespace)}")
        if self.max_tokens < 1:
            raise Refused(errors.SAMPLING_INVALID, f"max_tokens is {self.max_tokens}")
        numbers = [choice.number for choice in self.choices]
        if not numbers or len(numbers) > MOST_CHOICES:
            raise Refused(errors.CHOICES_TOO_MANY, f"{len(numbers)} choices; 1 to {MOST_CHOICES} are possible")
        if len(set(numbers)) != len(numbers) or not all(0 <= number < MOST_CHOICES for number in numbers):
            raise Refused(errors.SAMPLING_INVALID, f"the choices are numbered {numbers}")
        if min(self.tokens) < 0 or max(self.tokens) >= vocabulary:
            raise Refused(errors.TOKENS_INVALID, f"a token of the prompt is outside of the vocabulary of {vocabulary}")
        for choice in self.choices:
            if any(not 0 <= token < vocabulary for token in choice.emitted):
                raise Refused(errors.TOKENS_INVALID, f"a token of choice {choice.number} is outside of the vocabulary of {vocabulary}")
        if self.landed and not (self.reservation_id and all(choice.emitted for choice in self.choices)):
            raise Refused(errors.TOKENS_INVALID, "what has landed has a reservation and a first token for each choice")
        if self.prefill_only and (self.landed or any(choice.emitted for choice in self.choices)):
            raise Refused(errors.TOKENS_INVALID, "a prompt that is only read has no tokens yet")


class FinishReason(StrEnum):
    """Why an answer ended. STOP: an end or stop token, or the end of the grammar. LENGTH: max_tokens, or the row is full."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request has used here, all its choices together. ``output_tokens``: chosen here, so without those it started with."""

    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    busy_ms: float


@dataclass(frozen=True, slots=True)
class Token:
    """A token was chosen. The token that ends an answer is told too. ``top``: (token, log-probability), strongest first."""

    request_id: str
    choice: int
    index: int
    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The first time that work is done for a request; ``landed``: its row runs from what was handed over. ``at_ns``: Unix nanoseconds."""

    request_id: str
    landed: bool
    at_ns: int = field(default_factory=time.time_ns, compare=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a prompt that is only read: so many of its tokens stand in its row and are not written again; more are to come."""

    request_id: str
    computed: int


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer ended; ``is_last``: so the whole request, and nothing of it is held. ``error``: reason, with CANCELLED and ERROR."""

    request_id: str
    choice: int
    reason: FinishReason
    usage: Usage
    output_tokens: int
    is_last: bool
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Prefilled:
    """A prompt is read and waits in ``row`` to be handed over, until `Engine.release_row`. ``first``: tokens of choices that go on.

    Told after these tokens; choices that ended with theirs were told as Finished, and when all did there is nothing to hand over.
    """

    request_id: str
    row: int
    length: int
    first: tuple[Token, ...]
    block_ids: tuple[bytes, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class CacheChanged:
    """Blocks came into the prefix store, in the order of their chain, or left it. ``sequence``: from 1 without gaps in an incarnation."""

    sequence: int
    stored: tuple[bytes, ...] = ()
    removed: tuple[bytes, ...] = ()


Event = Token | Started | Progress | Finished | Prefilled | CacheChanged
