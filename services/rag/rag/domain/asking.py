"""A question as it came in, and which of what it names is a scope for the next one."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.domain.caller import Caller
from rag.domain.document import FOREVER, AsOf
from rag.domain.names import squeezed
from rag.domain.retrieval import Found, Scope

_SCOPE_AT_MOST = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a caller. ``valid_at_us``: None for now; ``known_at_seq``: 0 for the newest."""

    caller: Caller
    question: str
    scenario: str = ""
    grade: int = 0
    scope: Scope = field(default_factory=Scope)
    valid_at_us: int | None = None
    known_at_seq: int = 0
    conversation_id: str = ""
    min_sequence: int = 0
    earlier_questions: tuple[str, ...] = ()

    def as_of(self, now_us: int) -> AsOf:
        """Return the times that are asked for."""
        return AsOf(now_us if self.valid_at_us is None else self.valid_at_us, self.known_at_seq or FOREVER)


def scope_named(found: Found) -> Scope:
    """Return the documents that the question named by id, title or product: headings and terms that it named are no scope."""
    names = {squeezed(each) for each in (*found.resolved.documents, *found.resolved.products)} - {""}
    if not names:
        return Scope()
    documents = {}
    for passage in found.passages:
        handed_in = passage.version.submission
        if not names.isdisjoint(map(squeezed, (handed_in.document_id, handed_in.title, handed_in.product))):
            documents[handed_in.document_id] = True
    return Scope(documents=tuple(documents)) if len(documents) <= _SCOPE_AT_MOST else Scope()
