"""What an answer is made of: retrieved, then verified sentences, then its end. A refusal has no sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.domain.citing import PassageId
from rag.domain.retrieval import Passage, Scope

NOT_SUPPORTED = "NOT_SUPPORTED"
GUARDRAIL_CONFLICT = "GUARDRAIL_CONFLICT"
ANSWERER_UNAVAILABLE = "ANSWERER_UNAVAILABLE"

CONFLICTING_SOURCES = "CONFLICTING_SOURCES"
REVIEW_DUE = "REVIEW_DUE"
SUPERSEDED = "SUPERSEDED"
ENDORSED = "ENDORSED"
LIST_INCOMPLETE = "LIST_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a statement stands: code points [start, end) of a passage's text. ``cell``: row and column labels of a table's cell."""

    passage: PassageId
    start: int
    end: int
    text_sha256: bytes
    page: int = 0
    cell: str = ""
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a number was computed from cited operands."""

    formula: str
    operands: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A verified sentence and what it rests on."""

    text: str
    citations: tuple[Citation, ...]
    derivation: Derivation | None = None


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a reader should know: CONFLICTING_SOURCES, REVIEW_DUE, SUPERSEDED, ENDORSED, LIST_INCOMPLETE."""

    reason: str
    message: str
    passages: tuple[PassageId, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What passages say to a question: verified sentences, none when they say nothing, and what a reader should know beside them.

    ``lacking``: which condition the nearest passage failed, where none answers. For measurements, never for askers.
    """

    sentences: tuple[Sentence, ...] = ()
    warnings: tuple[Warned, ...] = ()
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What an answer may rest on, and the scope that holds for this turn."""

    passages: Sequence[Passage]
    scope: Scope
    sequence: int
    conversation_id: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an answer ended. ``message`` is for people, in the question's language; ``answerer``: "extractive", or the model's name."""

    answered: bool
    answerer: str
    audit_record_id: str
    refusal: str = ""
    message: str = ""
    warnings: Sequence[Warned] = field(default_factory=tuple)
    prompt_tokens: int = 0
    output_tokens: int = 0


AnswerEvent = Retrieved | Sentence | Ended
