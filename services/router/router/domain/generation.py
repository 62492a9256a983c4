"""A generation: what is asked for, the pieces it is made of, what it used. Token ids are ints; ``choice`` and ``position`` count from 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from router.domain.calls import Called, CallPiece, Tool, ToolCall, ToolChoice


class Finish(IntEnum):
    """Why an answer ended; numbers as in the contract."""

    STOP = 1
    LENGTH = 2
    CANCELLED = 3
    ERROR = 4
    INTERRUPTED = 5
    TOOL_CALLS = 6


class TokenLogprob(NamedTuple):
    """A token and the natural logarithm of its probability. ``text``: its bytes, where callers are told."""

    token_id: int
    logprob: float
    text: bytes = b""


class Token(NamedTuple):
    """A token of an answer. ``logprob``, ``top`` (strongest first) and ``text`` mean nothing unless they were asked for."""

    choice: int
    position: int
    token_id: int
    logprob: float = 0.0
    top: tuple[TokenLogprob, ...] = ()
    text: bytes = b""
    is_text_only: bool = False
    """Whether its engine told no id: `text` is what it wrote."""


class Message(NamedTuple):
    """One turn. ``role``: system, user, assistant, or tool, which answers the call ``call_id``; ``name``: of that tool."""

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns, oldest first, to be rendered with the model's own template, with the tools that it is offered."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Text to continue as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Tokens to continue as they are."""

    ids: tuple[int, ...]


Input = Conversation | Text | TokenIds


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. ``temperature`` 0: greedy; ``top_p`` 0 or 1, ``top_k`` 0: all."""

    temperature: float = 0.0
    top_p: float = 0.0
    top_k: int = 0
    seed: int = 0
    choices: int = 1
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks for, as it came; `domain.policy.Scenario.checked` says what is wrong with it."""

    tenant: str
    scenario: str
    model: str
    grade: int
    input: Input
    max_output_tokens: int = 0
    sampling: Sampling = Sampling()
    is_seed_set: bool = False
    stop: tuple[str, ...] = ()
    json_schema: str = ""
    return_token_ids: bool = False
    ignore_end: bool = False
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    has_logit_bias: bool = False
    forbids_standby: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice.AUTO
    tool_name: str = ""
    are_calls_parallel: bool = False
    request_id: str = ""
    principal: str = ""
    purpose: str = ""
    policy_hash: bytes = b""
    budget_key: bytes = b""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one leg, or all of them, used; see ``UsageFacts`` of the contract."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    shadow_tokens: int = 0
    accelerator: str = ""
    busy_ms: float = 0.0
    energy_j: float = 0.0
    is_energy_measured: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a generation was made: workers, whether keys and values were handed over, why, what was survived and what was missing.

    ``integrity`` of what was handed over: CHECKSUM, every block was verified; ENGINE, a foreign engine moved it unseen; "" nothing moved.
    ``continued``: reasons of each continuation, in order. ``standby_for``: the model that was asked for, when another answered.
    """

    prefill_worker: str = ""
    decode_worker: str = ""
    is_disaggregated: bool = False
    reason: str = ""
    failovers: int = 0
    degradations: tuple[str, ...] = ()
    integrity: str = ""
    continued: tuple[str, ...] = ()
    standby_for: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a request will use at most; told before any work."""

    generation_id: str
    prompt_tokens: int
    max_output_tokens: int
    choices: int
    model: str
    release: str
    seed: int


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer: whole characters, calls of tools behind them, and the tokens whose text it completes."""

    choice: int
    text: str
    tokens: tuple[Token, ...] = ()
    output_tokens: int = 0
    """Of all answers so far, this piece's included."""
    calls: tuple[CallPiece, ...] = ()


@dataclass(frozen=True, slots=True)
class ChoiceFinished:
    """One answer ended."""

    choice: int
    reason: Finish
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Continued:
    """From here another worker of the same model writes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Substituted:
    """From here on another model, an equivalent, answers: nothing was sent yet. See ``Admitted``."""

    generation_id: str
    model: str
    release: str
    prompt_tokens: int
    max_output_tokens: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of all answers."""

    usage: Usage
    provenance: Provenance
    started_record_id: str
    ended_record_id: str


Part = Admitted | Delta | ChoiceFinished | Continued | Substituted | Ended


@dataclass(frozen=True, slots=True)
class Score:
    """What was known of one worker when a choice was made; for the record."""

    worker: str
    cost: float
    cached_blocks: int
    load_blocks: float
    queue: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A worker, why, and the best scores, cheapest first."""

    worker: str
    reason: str
    cached_blocks: int
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Instead:
    """Whose place a standby takes. ``model``: that was asked for; ``generation_id``: that the call began with; ``reason``: why not."""

    model: str
    generation_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What the record of a start says. The prompt's tokens are committed to, never written."""

    generation_id: str
    request: Request
    model: str
    model_digest: bytes
    release: str
    seed: int
    prompt_tokens: Sequence[int]
    max_output_tokens: int
    decode: Choice
    prefill: Choice | None
    reason: str
    """Why keys and values are handed over, or not."""
    tokenizer_digest: bytes = b""
    instead: Instead | None = None
    tools: Sequence[Tool] = ()
    """As the model is told of them: committed to, never written."""


@dataclass(frozen=True, slots=True)
class EndFacts:
    """What the record of an end says. Tokens by choice are committed to, never written. ``error``: reason of a failure, empty for none."""

    generation_id: str
    tenant: str
    finished: tuple[ChoiceFinished, ...]
    usage: Usage
    provenance: Provenance
    output_tokens: Sequence[Sequence[int]] = ()
    error: str = ""
    called: Sequence[Sequence[Called]] = ()
    """Calls by choice: committed to, never written."""
    offered: Sequence[str] = ()
    """Names of the tools that were offered."""
