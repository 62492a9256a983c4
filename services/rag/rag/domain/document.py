"""Documents, their versions and what they are cut into.

Two times: ``valid_*`` is when a wording is in force (inception, loss), ``*_seq`` when the system knew it, as the ledger's sequence.
Both are half-open. Superseded versions stay, marked, so that the past can be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rag.domain.access import Access

FOREVER = (1 << 62) - 1
"""End of what has no end, as microseconds and as a sequence."""


class State(StrEnum):
    """Where a version stands. ENROLLED is work; the others are ends, of which VISIBLE and PARTIAL can be found."""

    ENROLLED = "ENROLLED"
    VISIBLE = "VISIBLE"
    PARTIAL = "PARTIAL"  # visible but for passages that hold secrets
    QUARANTINED = "QUARANTINED"  # declared L4 or above: waits for a curator's decision
    FAILED = "FAILED"  # a dead letter, with its reason
    WITHDRAWN = "WITHDRAWN"  # a tombstone hides it
    PURGED = "PURGED"


@dataclass(frozen=True, slots=True)
class Submission:
    """A version as it was handed in. ``source_version`` orders the versions of a document, whatever order they arrive in.

    ``blob`` names the sealed original. ``base``: the document that this one endorses (附加险, 批单), empty for none.
    ``product``: what it is the wording of.
    """

    tenant: str
    document_id: str
    source_version: int
    title: str
    media_type: str
    blob: str
    content_sha256: bytes
    access: Access
    submitted_by: str
    declared_grade: int = 0
    valid_from_us: int = 0
    valid_to_us: int = FOREVER
    review_at_us: int | None = None
    base: str = ""
    product: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """A version in the ledger. ``version_id`` is unique over all tenants; visible from ``from_seq`` until ``to_seq``.

    What remains of a version after a newer one took part of its validity is a row of its own: same ``source_version``, another id.
    """

    version_id: int
    submission: Submission
    state: State
    from_seq: int = FOREVER
    to_seq: int = FOREVER
    reason: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page: points, origin top left."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A passage before it has an id. ``text`` is what is cited and hashed; ``ordinal`` counts from 0 in the version.

    ``heading_path``: headings above it, outermost first. ``table_header``: header rows and unit line of the table that it continues.
    ``record_id``: opaque id of the record it was cut from, for documents made of records. ``clause``: number of its clause, as printed.
    """

    ordinal: int
    text: str
    access: Access
    heading_path: tuple[str, ...] = ()
    table_header: str = ""
    page: int = 0
    box: Box | None = None
    clause: str = ""
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of an original: its passages that may be indexed; VISIBLE, or PARTIAL when some were withheld.

    ``configuration``: digest of everything that shapes passages (parsers, chunking, grading): another one means another look.
    ``names``: what the document is called and calls itself (title, headings, defined terms), each with the demands of where it stands.
    """

    title: str
    chunks: Sequence[NewChunk]
    state: State
    configuration: bytes
    withheld: int = 0
    names: Sequence[tuple[str, Access]] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage in the ledger. ``chunk_id`` is unique over all tenants."""

    chunk_id: int
    version_id: int
    access_id: int
    passage: NewChunk


@dataclass(frozen=True, slots=True)
class AsOf:
    """At which times a question is asked: the wording in force at ``valid_at_us``, as the system knew it at ``known_at_seq``."""

    valid_at_us: int
    known_at_seq: int


class ChangeKind(StrEnum):
    """What a row of the change log tells: the indexes what to do, and banks what became of what they handed in."""

    PUBLISHED = "PUBLISHED"  # a version's passages are there, or demand more of readers than before
    SUPERSEDED = "SUPERSEDED"  # a version's to_seq was set
    WITHDRAWN = "WITHDRAWN"
    PURGED = "PURGED"  # rebuild the folders and the collection without it
    FAILED = "FAILED"  # nothing to index
    QUARANTINED = "QUARANTINED"  # nothing to index


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change log; ``seq`` has no gaps."""

    seq: int
    kind: ChangeKind
    tenant: str
    version_id: int
    access_ids: frozenset[int] = field(default_factory=frozenset)
