"""What goes into the log, and the leaves that the log writes itself.

Records are logged as they came. Conflict, poison and gap leaves are small JSON documents under a reserved prefix, so that the kind of a
leaf follows from its committed bytes and not from a column: a record that starts with the prefix is refused.
"""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum

from translog.errors import MalformedError, RecordTooLargeError, ReservedRecordError
from translog.tiles import MAX_ENTRY_BYTES

PREFIX = b'{"finmesh.translog":'


class Kind(StrEnum):
    """Kind of a leaf."""

    RECORD = "record"
    CONFLICT = "conflict"
    POISON = "poison"
    GAP = "gap"


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


def kind_of(body: bytes) -> Kind:
    """The kind that a leaf's committed bytes state. Raises MalformedError for a system leaf that is none of ours."""
    if not body.startswith(PREFIX):
        return Kind.RECORD
    try:
        kind = Kind(json.loads(body)["finmesh.translog"])
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedError("a leaf with the reserved prefix that the log did not write") from error
    if kind is Kind.RECORD:
        raise MalformedError("a record never carries the reserved prefix")
    return kind


def quarantined_body(kind: Kind, *, content: bytes, sealed: bytes, source: Source | None, **facts: str | int) -> bytes:
    """A leaf that commits to content kept apart: to its plain bytes, and to the sealed ones, which anyone can check without a key."""
    hashes = {"sha256": hashlib.sha256(content).hexdigest(), "sealed_sha256": hashlib.sha256(sealed).hexdigest()}
    return _system_leaf(kind, source, **hashes, **facts)


def gap_body(gap: Gap) -> bytes:
    return _system_leaf(Kind.GAP, gap.source, reason=gap.reason, facts=gap.facts)


def _system_leaf(kind: Kind, source: Source | None, **facts: object) -> bytes:
    document: dict[str, object] = {"finmesh.translog": kind.value, "version": 1, **facts}
    if source is not None:
        document["source"] = [source.topic, source.partition, source.topic_id, source.offset, source.position]
    body = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    if len(body) > MAX_ENTRY_BYTES:
        raise RecordTooLargeError(f"a {kind} leaf of {len(body)} bytes")
    return body
