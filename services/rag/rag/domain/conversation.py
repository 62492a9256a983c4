"""What was asked before. A conversation belongs to one principal: another's of the same name is another conversation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from rag.domain.answer import Sentence
from rag.domain.citing import PassageId
from rag.domain.retrieval import Scope


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and the sentences that answered it."""

    question: str
    sentences: tuple[Sentence, ...]
    asked_at_us: int

    def readable(self, ids: Collection[PassageId]) -> Turn:
        """Return the turn without the sentences that rest on anything but these passages."""
        kept = tuple(each for each in self.sentences if all(cited.passage in ids for cited in each.citations))
        return Turn(self.question, kept, self.asked_at_us)


@dataclass(frozen=True, slots=True)
class Conversation:
    """The scope that the next turn has, and the turns, oldest first."""

    scope: Scope = field(default_factory=Scope)
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question without an answer, identifiers masked. ``count``: how often it was asked."""

    question: str
    refusal: str
    count: int
    last_asked_at_us: int


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody was shown passages of a version."""

    principal: str
    purpose: str
    document_id: str
    source_version: int
    ordinals: tuple[int, ...]
    read_at_us: int
    audit_record_id: str
