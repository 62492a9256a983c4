"""A log gone through again from its first leaf: its tree, its kinds, and what its position leaves say. Both kinds of fsck stand on it."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from translog.checkpoint import Checkpoint
from translog.entries import PREFIX, Keys, Kind, SystemLeaf
from translog.errors import MalformedError, TranslogError
from translog.positions import Position, Rows, leaves_digest
from translog.report import Report
from translog.tiles import MAX_ENTRY_BYTES
from translog.tree import Frontier, TileKey

KeysOf = Callable[[bytes], Keys]


class Regrown:
    """The tree computed from leaf hashes; each checkpoint is compared at its size. Tiles are kept as digests: 32 bytes instead of 8 KiB."""

    def __init__(self, report: Report, due: Iterable[tuple[str, Checkpoint]]) -> None:
        self._report = report
        self._due = sorted(due, key=lambda item: -item[1].size)
        self._frontier = Frontier()
        self.tiles: dict[TileKey, bytes] = {}

    def grow(self, hashes: Sequence[bytes]) -> None:
        """Add the next leaves."""
        while self._due and self._due[-1][1].size <= self._frontier.size + len(hashes):
            check, checkpoint = self._due.pop()
            head = checkpoint.size - self._frontier.size
            self._append(hashes[:head])
            hashes = hashes[head:]
            if self._frontier.root() != checkpoint.root:
                self._report.add(check, checkpoint.size, "the root of the stored leaves is another one")
        self._append(hashes)

    def _append(self, hashes: Sequence[bytes]) -> None:
        for key, tile in self._frontier.append(hashes).items():
            self.tiles[key] = hashlib.sha256(tile).digest()


def stated(report: Report, index: int, body: bytes) -> SystemLeaf | None:
    """Count a leaf by kind; returns what it says when the log wrote it itself. Raises MalformedError for what is no leaf."""
    if len(body) > MAX_ENTRY_BYTES:
        report.add("length", index, f"{len(body)} bytes do not fit an entry bundle")
    leaf = SystemLeaf.parse(body) if body.startswith(PREFIX) else None
    kind = leaf.kind if leaf else Kind.RECORD.value
    report.kinds[kind] = report.kinds.get(kind, 0) + 1
    if leaf and not leaf.known:
        report.newer += 1
    return leaf


def read_keys(report: Report, index: int, body: bytes, keys_of: KeysOf) -> Keys | None:
    """What a record is found by; None, and a finding, for what the codec can't read."""
    try:
        return keys_of(body)
    except (TranslogError, ValueError) as error:
        report.add("record", index, f"not a record: {error}")
        return None


class Positions:
    """Position leaves followed from the first to the last; leaves before the first are of schema 1, and nothing is asked of them here.

    Without `columns` nothing is known of a leaf but its body.
    """

    def __init__(self, report: Report, *, columns: bool) -> None:
        self._report = report
        self._with_columns = columns
        self._columns: list[Sequence[object]] = []
        self._received: set[int] = set()
        self._offsets: dict[int, int] = {}
        self._part: Position | None = None
        self._last = -1
        self.first: int | None = None
        self.rows = Rows()
        """Both tables as the newest position leaf leaves them."""
        self.newest: Position | None = None
        self.ends: dict[int, int] = {}
        """Tree size after each transaction, and when that was received."""
        self.newer = False
        """A later version wrote a position leaf: from there on nothing is judged."""

    def leaf(self, columns: Sequence[object], received_ms: int) -> None:
        """Another leaf of a transaction."""
        if self.first is not None:
            self._columns.append(columns)
            self._received.add(received_ms)

    def position(self, index: int, leaf: SystemLeaf, body: bytes, received_ms: int) -> None:
        """A position leaf: the transaction's last, or one of its last."""
        self.newer = self.newer or not leaf.known
        if self.newer:
            return
        try:
            position = Position.parse(body)
        except MalformedError as error:
            self._report.add("position", index, str(error))
            return
        if self.first is None:
            self.first, self._last = index, index - 1
            if index == 0:
                self.ends[0] = position.received_ms
        before, self._part = self._part, position
        same = replace(position, sources=(), producers=(), left=position.left + 1)
        if before is not None and (replace(before, sources=(), producers=()) != same or index != self._last + 1):
            self._report.add("position", index, "position leaves of one transaction stand together and agree")
        self._last = index
        self._received.add(received_ms)
        self._follow(index, position)
        if position.left == 0:
            self._end(index, position)

    def finish(self, size: int) -> None:
        """Nothing comes after the last transaction's position."""
        if self.first is not None and not self.newer and size not in self.ends:
            self._report.add("position", size - 1, "the last leaf is not the position of its transaction")

    def _follow(self, index: int, position: Position) -> None:
        self.rows.put([*position.sources, *position.producers])
        for row in position.sources:
            if row.next_offset < self._offsets.get(row.source_id, 0):
                self._report.add("position", index, f"the offset of source {row.source_id} goes back to {row.next_offset}")
            self._offsets[row.source_id] = row.next_offset

    def _end(self, index: int, position: Position) -> None:
        if position.rows_sha256 != self.rows.digest():
            self._report.add("position", index, "the digest of all rows is not that of the rows which position leaves listed")
        if position.writer_epoch < (self.newest.writer_epoch if self.newest else 0):
            self._report.add("position", index, "the writer's epoch goes back")
        if self._with_columns and position.leaves_sha256 != leaves_digest(self._columns):
            self._report.add("position", index, "source columns of the transaction's leaves are not those that were committed to")
        if self._with_columns and self._received != {position.received_ms}:
            self._report.add("position", index, "leaves of the transaction state another received time")
        self.newest, self._part = position, None
        self._columns, self._received = [], set()
        self.ends[index + 1] = position.received_ms
