"""Which leaves a batch becomes: duplicates vanish, contradictions and poison become leaves of their own.

The arbiter is the event id: the first bytes of an id are the record, the same bytes again are nothing, other bytes are a `conflict`
leaf whose content waits sealed in quarantine. Repeats of those are recognised under every key of `commit`, and by the bare hash that
conflict leaves of schema 1 hold.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from translog.database import Database
from translog.entries import Batch, Commit, Entry, Gap, Keys, Kind, Poison, Record, Source, gap_body, quarantined_body
from translog.merkle import leaf_hash

_LOOKUP = 500
_NAMES = {kind: kind.value for kind in Kind}

_KeyColumns = tuple[str | None, str | None, str | None, str | None]
_SourceColumns = tuple[int | None, int | None, int | None]
NO_KEYS: _KeyColumns = (None, None, None, None)
_NO_SOURCE: _SourceColumns = (None, None, None)


def key_columns(keys: Keys) -> _KeyColumns:
    """Event id, request id, decision id and tenant as a record's row holds them."""
    return keys.event_id, keys.request_id or None, keys.decision_id or None, keys.tenant


class LeafRow(NamedTuple):
    """One row of table `leaf`."""

    leaf_index: int
    kind: str
    body: bytes
    leaf_hash: bytes
    event_id: str | None
    request_id: str | None
    decision_id: str | None
    tenant: str | None
    source_id: int | None
    source_offset: int | None
    source_position: int | None
    received_ms: int

    @classmethod
    def of_position(cls, index: int, body: bytes, received_ms: int) -> "LeafRow":
        """The row of a position leaf."""
        return cls(index, _NAMES[Kind.POSITION], body, leaf_hash(body), *NO_KEYS, *_NO_SOURCE, received_ms=received_ms)

    @property
    def source_columns(self) -> _SourceColumns:
        """What a position leaf's digest is over."""
        return self[8:11]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an entry became. A duplicate points to the leaf that was there before."""

    kind: Kind
    leaf_index: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The new leaves in order, and what every entry became."""

    leaves: list[LeafRow]
    outcomes: tuple[Outcome, ...]


class Planner:
    """Plans one batch inside its transaction."""

    def __init__(
        self,
        database: Database,
        *,
        first_index: int,
        source_id: Callable[[str, int, str], int],
        seal: Callable[[bytes], bytes],
        commit: Commit,
    ) -> None:
        self._db = database
        self._next = first_index
        self._source_id = source_id
        self._seal = seal
        self._commit = commit
        self._leaves: list[LeafRow] = []
        self._quarantine: list[tuple[int, bytes, bytes]] = []
        self._received_ms = 0

    def plan(self, batch: Batch) -> Plan:
        """Leaves and outcomes; writes nothing. `store_quarantine` follows once the leaves are stored."""
        self._received_ms = batch.received_ms
        known = self._known_records(entry.keys.event_id for entry in batch.entries if isinstance(entry, Record))
        outcomes = tuple(self._entry(entry, known) for entry in batch.entries)
        return Plan(self._leaves, outcomes)

    def store_quarantine(self) -> None:
        """Write the sealed contents of the planned leaves, in the same transaction as the leaves they point to."""
        self._db.executemany("INSERT INTO quarantine (leaf_index, content_hash, sealed) VALUES (?, ?, ?)", self._quarantine)

    def _entry(self, entry: Entry, known: dict[str, tuple[int, bytes]]) -> Outcome:
        match entry:
            case Record():
                return self._record(entry, known)
            case Poison():
                return self._quarantined(Kind.POISON, entry.content, NO_KEYS, entry.source, reason=entry.reason)
            case Gap():
                return Outcome(Kind.GAP, self._add(Kind.GAP, gap_body(entry), NO_KEYS, entry.source))

    def _record(self, record: Record, known: dict[str, tuple[int, bytes]]) -> Outcome:
        event_id = record.keys.event_id
        hashed = leaf_hash(record.body)
        first = known.get(event_id)
        if first is None:
            index = self._add(Kind.RECORD, record.body, key_columns(record.keys), record.source, hashed)
            known[event_id] = (index, hashed)
            return Outcome(Kind.RECORD, index)
        if first[1] == hashed:
            return Outcome(Kind.RECORD, first[0], duplicate=True)
        earlier = self._known_conflict(event_id, record.body)
        if earlier is not None:
            return Outcome(Kind.CONFLICT, earlier, duplicate=True)
        keys = (event_id, None, None, None)
        return self._quarantined(Kind.CONFLICT, record.body, keys, record.source, event_id=event_id, first_index=first[0])

    def _quarantined(self, kind: Kind, content: bytes, keys: _KeyColumns, source: Source | None, **facts: str | int) -> Outcome:
        sealed, commitment = self._seal(content), self._commit(content)[0]
        index = self._add(kind, quarantined_body(kind, commitment=commitment, sealed=sealed, source=source, **facts), keys, source)
        self._quarantine.append((index, commitment.digest, sealed))
        return Outcome(kind, index)

    def _add(self, kind: Kind, body: bytes, keys: _KeyColumns, source: Source | None, hashed: bytes = b"") -> int:
        index = self._next
        self._next += 1
        of_source = _NO_SOURCE
        if source:
            of_source = (self._source_id(source.topic, source.partition, source.topic_id), source.offset, source.position)
        self._leaves.append(LeafRow(index, _NAMES[kind], body, hashed or leaf_hash(body), *keys, *of_source, received_ms=self._received_ms))
        return index

    def _known_records(self, event_ids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        wanted = list(dict.fromkeys(event_ids))
        known: dict[str, tuple[int, bytes]] = {}
        for start in range(0, len(wanted), _LOOKUP):
            part = wanted[start : start + _LOOKUP]
            marks = ", ".join("?" * len(part))
            rows = self._db.query(f"SELECT event_id, leaf_index, leaf_hash FROM leaf WHERE kind = 'record' AND event_id IN ({marks})", part)  # noqa: S608
            known.update({str(event_id): (int(index), bytes(hashed)) for event_id, index, hashed in rows})
        return known

    def _known_conflict(self, event_id: str, content: bytes) -> int | None:
        hashes = [*(commitment.digest for commitment in self._commit(content)), hashlib.sha256(content).digest()]
        in_batch = {row.leaf_index for row in self._leaves if row.kind == Kind.CONFLICT and row.event_id == event_id}
        for index, known, _ in self._quarantine:
            if index in in_batch and known in hashes:
                return index
        rows = self._db.query(
            "SELECT q.leaf_index FROM leaf l JOIN quarantine q ON q.leaf_index = l.leaf_index WHERE l.kind = 'conflict'"  # noqa: S608
            f" AND l.event_id = ? AND q.content_hash IN ({', '.join('?' * len(hashes))}) ORDER BY q.leaf_index LIMIT 1",
            (event_id, *hashes),
        )
        return int(rows[0][0]) if rows else None
