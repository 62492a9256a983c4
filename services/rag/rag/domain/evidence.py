"""What the audit log is told of reading and of changes. Nothing of it ever reaches a caller.

What would have matched can't be known, since what may not be read is filtered before anything is ranked. So free text is told with the
rights, the ledger's sequence and a commitment to the question; what a call named directly (an id, a scope, a citation, an earlier turn) is
told by name, forbidden or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rag.domain.access import Reader
from rag.domain.caller import Caller
from rag.domain.citing import PassageId
from rag.domain.retrieval import Scope


class Act(StrEnum):
    """How something was read."""

    ASK = "ASK"
    SEARCH = "SEARCH"
    PASSAGE = "PASSAGE"
    CLAUSES = "CLAUSES"
    COMPARE = "COMPARE"
    CONVERSATION = "CONVERSATION"


class Stage(StrEnum):
    """Which record of a call it is. An answer that a model writes has two: before its first byte and before its last."""

    WHOLE = "WHOLE"
    BEGUN = "BEGUN"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Told:
    """A passage that was shown, or that was named and may not be read: then it has no text here, and ``grade`` is 0."""

    id: PassageId
    text: str = ""
    grade: int = 0
    cited: bool = False
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Looked:
    """One look into documents. ``access_ids``: what could be read; ``forbidden``: documents that were named, exist and may not be read."""

    act: Act
    caller: Caller
    reader: Reader
    access_ids: frozenset[int]
    sequence: int
    at_us: int
    scenario: str = "knowledge"
    grade: int = 0
    stage: Stage = Stage.WHOLE
    valid_at_us: int = 0
    known_at_seq: int = 0
    question: str = ""
    scope: Scope = field(default_factory=Scope)
    conversation_id: str = ""
    passages: Sequence[Told] = ()
    forbidden: Sequence[str] = ()
    answerer: str = ""
    answer: str = ""
    refusal: str = ""
    warnings: Sequence[str] = ()
    degradations: Sequence[str] = ()
    configuration: bytes = b""
    generation_ids: Sequence[str] = ()
    interrupted: bool = False


class ChangeAct(StrEnum):
    """What was done to a document, or to somebody's rights."""

    GRANT = "GRANT"
    HOLD = "HOLD"
    LIFT_HOLD = "LIFT_HOLD"
    PURGE = "PURGE"
    RELEASE = "RELEASE"
    REFUSE = "REFUSE"
    WITHDRAW = "WITHDRAW"
    PUBLISH = "PUBLISH"


@dataclass(frozen=True, slots=True)
class Changed:
    """A change. ``whom``: whose rights; ``why`` and everything that names somebody is committed to, never written."""

    act: ChangeAct
    caller: Caller
    at_us: int
    document_id: str = ""
    source_version: int = 0
    content_sha256: bytes = b""
    sequence: int = 0
    state: str = ""
    grade: int = 0
    whom: str = ""
    groups: Sequence[str] = ()
    barriers: Sequence[str] = ()
    why: str = ""
