"""What goes into the log, and the leaves that the log writes itself.

Records are logged as they came. Conflict, poison, gap and position leaves are small JSON documents under a reserved prefix, so that the
kind of a leaf follows from its committed bytes and not from a column: a record that starts with the prefix is refused. What came and is
no record is committed to under a key: whoever reads the leaf can't try guesses (a phone number takes a second against a bare hash).
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from translog.errors import MalformedError, NewerFormatError, RecordTooLargeError, ReservedRecordError
from translog.tiles import MAX_ENTRY_BYTES

PREFIX = b'{"finmesh.translog":'


class Kind(StrEnum):
    """Kind of a leaf."""

    RECORD = "record"
    CONFLICT = "conflict"
    POISON = "poison"
    GAP = "gap"
    POSITION = "position"


@dataclass(frozen=True, slots=True)
class Commitment:
    """A keyed hash of content, and the id of its key."""

    key_id: str
    digest: bytes


Commit = Callable[[bytes], Sequence[Commitment]]
"""Commits to content: under the primary key first, then under every other key that is still accepted, by which repeats are recognised."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where bytes came from: one offset of a Kafka partition. `topic_id` tells a topic from a later one of the same name."""

    topic: str
    partition: int
    topic_id: str
    offset: int
    position: int = 0
    """Index within the message."""


@dataclass(frozen=True, slots=True)
class NextOffset:
    """Where consumption of a partition goes on."""

    topic: str
    partition: int
    topic_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class ProducerPosition:
    """The last batch that a producer was seen to send."""

    name: str
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Keys:
    """What a record is found by. `event_id` is unique in the log."""

    event_id: str
    request_id: str = ""
    decision_id: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Exact bytes to log. Raises RecordTooLargeError, ReservedRecordError, MalformedError (no event id)."""

    body: bytes
    keys: Keys
    source: Source | None = None

    def __post_init__(self) -> None:
        if len(self.body) > MAX_ENTRY_BYTES:
            raise RecordTooLargeError(f"a record of {len(self.body)} bytes; {MAX_ENTRY_BYTES} fit")
        if self.body.startswith(PREFIX):
            raise ReservedRecordError("a record must not look like a leaf of the log itself")
        if not self.keys.event_id:
            raise MalformedError("a record needs an event id")


@dataclass(frozen=True, slots=True)
class Poison:
    """Bytes that are no record, and why."""

    content: bytes
    reason: str
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that should be in the log and is not. `facts` are small and hold no personal data."""

    reason: str
    facts: dict[str, str | int]
    source: Source | None = None


Entry = Record | Poison | Gap


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction commits."""

    entries: tuple[Entry, ...]
    received_ms: int
    offsets: tuple[NextOffset, ...] = ()
    producers: tuple[ProducerPosition, ...] = field(default=())


_KIND = re.compile(r"[a-z][a-z-]{0,39}")
_VERSIONS: dict[str, int] = {Kind.CONFLICT: 2, Kind.POISON: 2, Kind.GAP: 1, Kind.POSITION: 1}
"""The newest version of each kind that is known; version 1 of conflict and poison held a bare hash."""


@dataclass(frozen=True, slots=True)
class SystemLeaf:
    """A leaf that the log wrote itself. `kind` may be one that this program doesn't know."""

    kind: str
    version: int
    fields: dict[str, object]

    @classmethod
    def parse(cls, body: bytes) -> "SystemLeaf":
        """Raises MalformedError for what no version of the log writes."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MalformedError("a leaf with the reserved prefix that the log did not write") from error
        kind, version = document["finmesh.translog"], document.get("version")
        named = isinstance(kind, str) and _KIND.fullmatch(kind) and kind != Kind.RECORD
        if not named or type(version) is not int or version < 1:
            raise MalformedError("a leaf with the reserved prefix that the log did not write")
        return cls(kind, version, document)

    @property
    def known(self) -> bool:
        """Whether this program knows what the leaf says; if not, a newer one wrote it."""
        return self.version <= _VERSIONS.get(self.kind, 0)


def kind_of(body: bytes) -> Kind:
    """The kind that a leaf's committed bytes state. Raises MalformedError for a system leaf that is none of ours, NewerFormatError."""
    if not body.startswith(PREFIX):
        return Kind.RECORD
    leaf = SystemLeaf.parse(body)
    if not leaf.known:
        raise NewerFormatError(f"a leaf of kind {leaf.kind}, version {leaf.version}: a newer program wrote it")
    return Kind(leaf.kind)


def quarantined_body(kind: Kind, *, commitment: Commitment, sealed: bytes, source: Source | None, **facts: str | int) -> bytes:
    """A leaf that commits to content kept apart: to its plain bytes under a key, and to the sealed ones, which anyone can check."""
    hashes = {"key_id": commitment.key_id, "commitment": commitment.digest.hex(), "sealed_sha256": hashlib.sha256(sealed).hexdigest()}
    return system_body(kind, source, **hashes, **facts)


def gap_body(gap: Gap) -> bytes:
    """The leaf that stands for messages the source lost. Raises RecordTooLargeError."""
    return system_body(Kind.GAP, gap.source, reason=gap.reason, facts=gap.facts)


def system_body(kind: Kind, source: Source | None = None, **facts: object) -> bytes:
    """The bytes of a leaf that the log writes itself. Raises RecordTooLargeError."""
    document: dict[str, object] = {"finmesh.translog": kind.value, "version": _VERSIONS[kind], **facts}
    if source is not None:
        document["source"] = [source.topic, source.partition, source.topic_id, source.offset, source.position]
    body = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    if len(body) > MAX_ENTRY_BYTES:
        raise RecordTooLargeError(f"a {kind} leaf of {len(body)} bytes")
    return body
