"""What is said to prefill and decode workers, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.llm.tool_grammar import ToolCalls

from router.domain.generation import ChoiceFinished, Sampling, Token, Usage


@dataclass(frozen=True, slots=True)
class Job:
    """What both legs are told of a generation. ``priority``: higher goes first, 0 to 9."""

    request_id: str
    model_digest: bytes
    prompt: tuple[int, ...]
    namespace: bytes
    tenant_digest: bytes
    grade: int
    sampling: Sampling
    json_schema: str
    max_output_tokens: int
    ignore_end: bool
    priority: int
    calls: ToolCalls | None = None
    """How the answer calls tools, if it may."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """One attempt to hand keys and values over: a higher epoch fences the lower."""

    handoff_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class ReserveAsk:
    """Asks for room."""

    job: Job
    block_ids: tuple[bytes, ...]
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room that is held for a request. ``first_block``: blocks from the beginning that the worker holds already."""

    reservation_id: str
    worker: str
    incarnation: str
    first_block: int
    ttl_s: float


@dataclass(frozen=True, slots=True)
class PrefillAsk:
    """Asks for a prompt to be read and published for a layout, and for the decode worker that has room for it."""

    job: Job
    handoff: Handoff
    layout_digest: bytes
    first_block: int
    decode_worker: str = ""
    decode_incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Prefilled:
    """First tokens, none of a worker that begins at decode, and the ticket; empty: every answer ended with its first token."""

    ticket: bytes
    first_tokens: tuple[Token, ...]
    finished: tuple[ChoiceFinished, ...]
    usage: Usage
    worker: str
    incarnation: str
    lease_s: float


@dataclass(frozen=True, slots=True)
class DecodeAsk:
    """Asks for answers: with a ticket from token 1 on (0 where it begins at decode), without one from the prompt.

    ``emitted``: tokens so far of answers continued.
    """

    job: Job
    reservation: Reservation
    ticket: bytes
    emitted: Mapping[int, tuple[int, ...]]
    ended_choices: tuple[int, ...]
    timeout_s: float
    prompt_text: str = ""
    """The prompt for an engine that takes text alone, and ``said``: what `emitted` says."""
    said: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Committed:
    """The row runs from here."""

    worker: str
    incarnation: str
    pulled_bytes: int
    pull_ms: float
    transport: str
    pulls: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one or more steps, in order."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The leg ended."""

    usage: Usage


DecodePart = Committed | Tokens | ChoiceFinished | LegEnded
