"""A question as it is asked, and what was found for it. Everything found was checked against the rights of this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rag.domain.access import Reader
from rag.domain.citing import PassageId
from rag.domain.document import FOREVER, AsOf, Chunk, Version
from rag.domain.ranking import Explained


@dataclass(frozen=True, slots=True)
class Scope:
    """What narrows a question, never widens it: documents by id or exact title, products by name. Empty: nothing does."""

    documents: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it narrows."""
        return bool(self.documents or self.products)


class Pipeline(StrEnum):
    """Which parts of the pipeline rank."""

    FUSED = "FUSED"
    UNSCOPED = "UNSCOPED"
    LEXICAL = "LEXICAL"
    DENSE = "DENSE"


@dataclass(frozen=True, slots=True)
class Query:
    """A question. ``reader`` has the rights of ``now_us``; ``scope`` is what a caller or a conversation narrows it to.

    ``expand``: for so many of the best passages what stands beside them is added after all that were found.
    """

    reader: Reader
    question: str
    as_of: AsOf
    now_us: int
    scope: Scope = Scope()
    limit: int = 10
    pipeline: Pipeline = Pipeline.FUSED
    explain: bool = False
    collapse_records: bool = False
    expand: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that may be shown. ``superseded``: a newer version stands, or the wording is not in force at the time asked for.

    ``added``: it was not found, it stands beside what was.
    """

    chunk: Chunk
    version: Version
    superseded: bool = False
    review_due: bool = False
    explained: Explained | None = None
    added: bool = False

    @property
    def id(self) -> PassageId:
        """Return what it is called."""
        submission = self.version.submission
        return PassageId(submission.document_id, submission.source_version, self.chunk.passage.ordinal)

    @property
    def text(self) -> str:
        """Return what is cited and hashed."""
        return self.chunk.passage.text


def passage_of(
    chunk: Chunk,
    version: Version,
    now_us: int,
    explained: Explained | None = None,
    *,
    added: bool = False,
    valid_at_us: int | None = None,
) -> Passage:
    """Return a passage as it stands now, for a reader who may read it: whoever calls has checked that.

    ``valid_at_us``: the time whose wording was asked for, None for now.
    """
    handed_in = version.submission
    asked_us = now_us if valid_at_us is None else valid_at_us
    superseded = version.to_seq != FOREVER or not handed_in.valid_from_us <= asked_us < handed_in.valid_to_us
    review_due = handed_in.review_at_us is not None and handed_in.review_at_us <= now_us
    return Passage(chunk, version, superseded=superseded, review_due=review_due, explained=explained, added=added)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, best first, then what was added.

    ``resolved``: what the question itself named; ``sequence``: of the ledger, that was asked.
    """

    passages: Sequence[Passage]
    sequence: int
    resolved: Scope = Scope()
    degradations: Sequence[str] = field(default_factory=tuple)
