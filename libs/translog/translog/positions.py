"""Position leaves: the tree commits to what stands beside it.

Every transaction of the log ends in a position leaf: when it was received, the writer's epoch, the rows of `source` and `producer` that it
changed, one SHA-256 over all rows of both tables as they are after it, and a digest of the columns that say where its leaves came from.
Whoever moves an offset or a sequence by SQL therefore contradicts a signed leaf.

A leaf holds 65,535 bytes: changed rows that don't fit stand in position leaves before the last, `left` says how many follow.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from translog.entries import Kind, SystemLeaf, system_body
from translog.errors import MalformedError, RecordTooLargeError

_ROWS_BYTES = 60_000  # of rows in one leaf, which has room for its other fields


class SourceRow(NamedTuple):
    """A row of table `source`."""

    source_id: int
    topic: str
    partition_id: int
    topic_id: str
    next_offset: int


class ProducerRow(NamedTuple):
    """A row of table `producer`."""

    name: str
    epoch: int
    last_sequence: int


TableRow = SourceRow | ProducerRow


class Rows:
    """All rows of both tables, each kept as its line of JSON in the order of its key: one digest over all of them is one join.

    The digest is SHA-256 over the line `source`, the lines of that table ordered by id, the line `producer`, and the lines of that table
    ordered by the code points of the name; every line ends in a newline.
    """

    def __init__(self, rows: Iterable[TableRow] = ()) -> None:
        self._sources: dict[int, bytes] = {}
        self._producers: dict[str, bytes] = {}
        self.put(rows)

    def put(self, rows: Iterable[TableRow]) -> list[TableRow]:
        """Insert or replace; returns those that changed something."""
        known = len(self._sources), len(self._producers)
        changed = [row for row in rows if self._put(row, _line(row))]
        if len(self._sources) > known[0]:
            self._sources = dict(sorted(self._sources.items()))
        if len(self._producers) > known[1]:
            self._producers = dict(sorted(self._producers.items()))
        return changed

    def digest(self) -> str:
        """Hexadecimal; a few milliseconds for ten thousand rows."""
        return hashlib.sha256(b"".join((b"source\n", *self._sources.values(), b"producer\n", *self._producers.values()))).hexdigest()

    def all(self) -> list[TableRow]:
        """Every row, in the order of the digest."""
        sources = [SourceRow(*json.loads(line)) for line in self._sources.values()]
        return [*sources, *(ProducerRow(*json.loads(line)) for line in self._producers.values())]

    def differences(self, other: "Rows") -> Iterator[str]:
        """Each row that stands in one alone, as JSON."""
        for mine, others in ((self._sources, other._sources), (self._producers, other._producers)):
            for line in sorted(set(mine.values()) ^ set(others.values())):
                yield line.decode().rstrip()

    def _put(self, row: TableRow, line: bytes) -> bool:
        if isinstance(row, SourceRow):
            before, self._sources[row.source_id] = self._sources.get(row.source_id), line
        else:
            before, self._producers[row.name] = self._producers.get(row.name), line
        return before != line


def leaves_digest(columns: Iterable[Sequence[object]]) -> str:
    """SHA-256 of [source_id, source_offset, source_position] of a transaction's leaves, its position leaves aside, in JSON."""
    return hashlib.sha256(json.dumps(list(columns), separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Position:
    """What a position leaf says. Digests are hexadecimal."""

    received_ms: int
    writer_epoch: int
    sources: tuple[SourceRow, ...]
    producers: tuple[ProducerRow, ...]
    rows_sha256: str
    leaves_sha256: str
    left: int = 0

    def body(self) -> bytes:
        """The leaf."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return system_body(Kind.POSITION, **fields)

    def agrees(self, writer_epoch: int, rows: Rows) -> bool:
        """Whether the store stands where this leaf, the last of its transaction, says that it stands."""
        return (self.left, self.writer_epoch, self.rows_sha256) == (0, writer_epoch, rows.digest())

    @classmethod
    def parse(cls, body: bytes) -> "Position":
        """From a leaf of that kind that says just this and nothing else. Raises MalformedError."""
        leaf = SystemLeaf.parse(body)
        try:
            values: dict[str, Any] = {name: leaf.fields[name] for name in cls.__slots__}
            values["sources"] = tuple(SourceRow(*row) for row in values["sources"])
            values["producers"] = tuple(ProducerRow(*row) for row in values["producers"])
            position = cls(**values)
            sound = position.body() == body
        except (KeyError, TypeError, RecordTooLargeError) as error:
            raise MalformedError("a position leaf that lacks something") from error
        if not sound or not position._typed():
            raise MalformedError("not a position leaf as the log writes it")
        return position

    def _typed(self) -> bool:
        """JSON holds any type anywhere, and what is no number can't be compared with one."""
        numbers = (self.received_ms, self.writer_epoch, self.left)
        rows = [(row, (int, str, int, str, int)) for row in self.sources] + [(row, (str, int, int)) for row in self.producers]
        return all(type(n) is int for n in numbers) and all(tuple(map(type, row)) == types for row, types in rows)


def bodies(position: Position, changed: Iterable[TableRow]) -> list[bytes]:
    """The leaves of one transaction's position. Raises RecordTooLargeError for a row that fits no leaf."""
    parts: list[list[TableRow]] = [[]]
    room = _ROWS_BYTES
    for row in changed:
        room -= len(_line(row))
        if room < 0 and parts[-1]:
            parts.append([])
            room = _ROWS_BYTES - len(_line(row))
        parts[-1].append(row)
    leaves = []
    for left, rows in zip(reversed(range(len(parts))), parts, strict=True):
        sources = tuple(row for row in rows if isinstance(row, SourceRow))
        producers = tuple(row for row in rows if isinstance(row, ProducerRow))
        leaves.append(replace(position, sources=sources, producers=producers, left=left).body())
    return leaves


def _line(row: TableRow) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"
