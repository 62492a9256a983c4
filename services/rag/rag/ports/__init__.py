"""What rag needs from outside. Every method raises Unavailable when its store is away; ids of another tenant are never found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
from meshkit.events.offsets_in_db import Position
from numpy.typing import NDArray

from rag.domain.access import Access, Grant, Reader
from rag.domain.document import Change, Chunk, Prepared, State, Submission, Version
from rag.domain.ranking import Filter, Hit, IndexedChunk, TermStatistics

if TYPE_CHECKING:
    from documents.parsed import Parsed


class Kind(StrEnum):
    """What is encoded: questions and passages have prefixes of their own."""

    QUERY = "query"
    PASSAGE = "passage"


class Encoder(Protocol):
    """Texts to vectors."""

    @property
    def identity(self) -> str:
        """Digest of the model's manifest: vectors of two identities are never compared."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    async def encode(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """Return (n, dimension) float32 rows of length 1. Raises Unavailable (ENCODER_UNAVAILABLE)."""
        ...


class Vectors(Protocol):
    """The dense index: vectors and scalars, no text."""

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk], vectors: NDArray[np.float32]) -> None:
        """Write passages whole; the same chunk_id replaces. vectors: (n, dimension) float32, in the order of chunks."""
        ...

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version's passages."""
        ...

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Take passages out, physically when this returns."""
        ...

    async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
        """Return the nearest passages (cosine), best first; ties by chunk_id."""
        ...

    async def missing(self, tenant: str, chunk_ids: Sequence[int]) -> list[int]:
        """Return which of these are not there: what a backfill has to encode."""
        ...


class Lexical(Protocol):
    """The lexical index: one for each tenant and access id, of this process alone."""

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk]) -> None:
        """Write passages whole; the same chunk_id replaces. Found once this returns."""
        ...

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        """Set the end of a version's passages."""
        ...

    async def delete(self, tenant: str, version_ids: Collection[int]) -> None:
        """Take passages out, physically when this returns."""
        ...

    async def search(self, terms: Mapping[str, float], where: Filter, limit: int) -> list[Hit]:
        """Return the best passages by BM25 over the readable set alone, best first; ties by chunk_id. terms: weight of each."""
        ...

    async def statistics(self, terms: Collection[str], where: Filter) -> TermStatistics:
        """Return counts over the readable set alone."""
        ...

    @property
    def position(self) -> int:
        """Sequence of the ledger up to which this index is complete; 0 for an empty one."""
        ...

    async def settle(self, seq: int) -> None:
        """Say that everything up to this sequence is in."""
        ...


class Reranker(Protocol):
    """A second look at the best passages. A plug-in point: without one the fused order stands."""

    async def rerank(self, question: str, passages: Sequence[str]) -> Sequence[int]:
        """Return the order of the passages, best first, as places in ``passages``."""
        ...


class Parser(Protocol):
    """Bytes of any format to blocks, in a sandbox."""

    @property
    def identity(self) -> str:
        """Versions and settings that shape what is read."""
        ...

    async def parse(self, content: bytes, name: str, media_type: str) -> Parsed:
        """Raises InvalidArgument with the parser's reason (UNSUPPORTED_FORMAT, ZIP_BOMB, PARSER_TIMEOUT, ...)."""
        ...


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way. ``received_bytes``: how much is there without a gap from the beginning."""

    upload_id: str
    size_bytes: int
    sha256: bytes
    received_bytes: int


class Blobs(Protocol):
    """Sealed originals. A name is HMAC(tenant key, digest): it tells nothing, and equal contents of two tenants have two names."""

    async def begin(self, tenant: str, principal: str, size_bytes: int, sha256: bytes) -> Upload:
        """Begin an upload, or return the one that the same principal began for the same content.

        Raises InvalidArgument (DOCUMENT_TOO_LARGE), QuotaExceeded (UPLOADS_FULL).
        """
        ...

    async def put_part(self, tenant: str, principal: str, upload_id: str, offset: int, part: bytes) -> Upload:
        """Keep a part, sealed; the same part again is the same. Raises NotFound (UPLOAD_NOT_FOUND), Conflict (PART_CONFLICT)."""
        ...

    async def commit(self, tenant: str, principal: str, upload_id: str) -> tuple[str, Upload]:
        """Join an upload; return its blob's name. Repeated, it answers alike. ``principal`` empty: whoever began it.

        Raises NotFound (UPLOAD_NOT_FOUND), FailedPrecondition (UPLOAD_INCOMPLETE), InvalidArgument (DIGEST_MISMATCH).
        """
        ...

    async def keep(self, tenant: str, content: bytes) -> str:
        """Keep a whole original; return its blob's name."""
        ...

    async def read(self, tenant: str, blob: str) -> bytes:
        """Raises NotFound (BLOB_NOT_FOUND), DataCorrupted."""
        ...

    async def destroy(self, tenant: str, blob: str) -> None:
        """Destroy it and its key."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A version to be worked on, leased to this leader."""

    version: Version
    epoch: int


class Intake(Protocol):
    """The ledger as those who hand documents in see it."""

    async def enrol(self, submission: Submission, now_us: int) -> Version:
        """Enrol a version, or return the one that this submission already is (content, access, validity and configuration all equal).

        Raises Conflict (SOURCE_VERSION_CONFLICT) when the same source_version came with other content.
        """
        ...

    async def withdraw(self, tenant: str, document_id: str, source_version: int, now_us: int) -> int:
        """Hide a document from this sequence on; return it. Versions up to ``source_version`` that arrive later stay hidden."""
        ...

    async def version(self, tenant: str, document_id: str, source_version: int = 0) -> Version:
        """Return a version, the newest when 0. Raises NotFound (DOCUMENT_NOT_FOUND)."""
        ...

    async def tallies(self, tenant: str) -> Mapping[State, int]:
        """Return versions by state."""
        ...


class Positions(Protocol):
    """How far the topics were read, kept where documents are enrolled. Enrolling again is a no-op, so what was read is told afterwards."""

    async def positions(self, topic: str) -> Mapping[int, Position]:
        """Return where each known partition goes on."""
        ...

    async def reached(self, topic: str, positions: Sequence[Position]) -> None:
        """Keep how far a topic was read."""
        ...


class Workbench(Protocol):
    """The ledger as the one leader among ingest processes sees it. Methods with an epoch raise Conflict (FENCED) when another leads."""

    async def lead(self, owner: str, lease_s: float, now_us: int) -> int:
        """Become or stay the leader; return the epoch. Raises Conflict (ANOTHER_LEADS)."""
        ...

    async def refresh(self, epoch: int, configuration: bytes, now_us: int) -> int:
        """Let every current version that was read under another configuration wait again; return how many. What is visible stays so."""
        ...

    async def claim(self, epoch: int, limit: int, now_us: int) -> list[Job]:
        """Take versions that wait, oldest first; what an earlier epoch had claimed waits again."""
        ...

    async def publish(self, job: Job, prepared: Prepared, now_us: int) -> int:
        """Make a version visible in one transaction: title, passages, access ids, names, end of the version before, change log.

        Return its sequence.
        """
        ...

    async def fail(self, job: Job, state: State, reason: str, now_us: int) -> None:
        """End a version as FAILED or QUARANTINED, or put it back for another attempt with ENROLLED."""
        ...


class Announcer(Protocol):
    """Tells banks what became of what they handed in."""

    async def announce(self, changes: Sequence[tuple[Change, Version]]) -> None:
        """Tell of changes, in order, acknowledged. Raises Unavailable."""
        ...


class Library(Protocol):
    """The ledger as readers and indexes see it."""

    async def sequence(self) -> int:
        """Return the newest sequence."""
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return what happened after a sequence, oldest first."""
        ...

    async def version_of(self, version_id: int) -> Version:
        """Return a version, a purged one as far as it is known."""
        ...

    async def indexed(self, version_id: int) -> tuple[Version, list[Chunk]]:
        """Return a version with its passages, unsealed, in order. Raises NotFound for one that was purged."""
        ...

    async def grant(self, tenant: str, principal: str) -> Grant:
        """Return what a principal was granted."""
        ...

    async def readable(self, reader: Reader, now_us: int) -> dict[int, Access]:
        """Return the access ids that a reader may read now."""
        ...

    async def chunks(self, tenant: str, chunk_ids: Sequence[int]) -> dict[int, tuple[Chunk, Version]]:
        """Return passages with their versions, unsealed; unknown ids are left out. Rights are the caller's to check."""
        ...

    async def around(self, tenant: str, chunk: Chunk, before: int, after: int) -> list[Chunk]:
        """Return a passage's neighbours of the same version and access id, in order."""
        ...

    async def documents(self, tenant: str, access_ids: Collection[int], after: str, limit: int) -> list[Version]:
        """Return the newest visible version of each document that has a readable passage, by document id."""
        ...

    async def versions(self, tenant: str, document_id: str, access_ids: Collection[int]) -> list[Version]:
        """Return all versions of a document with a readable passage, newest first."""
        ...

    async def names(self, tenant: str, access_ids: Collection[int]) -> list[tuple[str, int, int]]:
        """Return the names catalogue of what is readable: (name, version_id, access_id)."""
        ...


class Answerer(Protocol):
    """Writes sentences from passages; what it writes is verified before anybody reads it."""

    def answer(self, question: str, passages: Sequence[str]) -> AsyncIterator[str]:
        """Yield pieces of text with citation markers."""
        ...
