"""A search as it came in."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.domain.caller import Caller
from rag.domain.document import FOREVER, AsOf
from rag.domain.retrieval import Pipeline, Scope


@dataclass(frozen=True, slots=True)
class Searched:
    """What a caller searches. ``valid_at_us``: None for now; ``known_at_seq``: 0 for the newest."""

    caller: Caller
    question: str
    scenario: str = ""
    grade: int = 0
    scope: Scope = field(default_factory=Scope)
    valid_at_us: int | None = None
    known_at_seq: int = 0
    limit: int = 10
    explain: bool = False
    pipeline: Pipeline = Pipeline.FUSED
    min_sequence: int = 0
    collapse_records: bool = False
    expand: int = 0

    def as_of(self, now_us: int) -> AsOf:
        """Return the times that are asked for."""
        return AsOf(now_us if self.valid_at_us is None else self.valid_at_us, self.known_at_seq or FOREVER)
