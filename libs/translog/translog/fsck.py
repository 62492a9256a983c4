"""Check a whole log: every body hashed again, every tile and checkpoint computed again, every column compared, nothing believed.

What it cannot see: a history that its operator rewrote and signed again. For that bring a pinned checkpoint. Key columns of records are
not committed by the tree; give `keys_of` (the record's codec) to compare them with the committed bytes. Leaves before the first position
leaf are of schema 1: offsets, producers and times of that age are committed to by nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from translog.anchor import check_pinned
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.database import SCHEMA_VERSION, Database, Row
from translog.entries import Kind, SystemLeaf
from translog.errors import MalformedError, TamperedError, TranslogError
from translog.merkle import leaf_hash
from translog.note import Verifier
from translog.planning import NO_KEYS, LeafRow, key_columns
from translog.positions import Rows
from translog.reader import LogReader
from translog.replay import KeysOf, Positions, Regrown, read_keys, stated
from translog.report import Finding, Report
from translog.tree import tiles_of

__all__ = ["Finding", "Report", "fsck"]

_PAGE = 8192

Progress = Callable[[int], None]


def fsck(
    database: Database,
    verifiers: Iterable[Verifier],
    *,
    pinned: Checkpoint | None = None,
    keys_of: KeysOf | None = None,
    rehash: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Check everything; damage is reported, never raised. Without `rehash` bodies are believed and stored leaf hashes are used.

    Raises NotFoundError when there is no log, NewerFormatError for the store of a newer program, TamperedError when it doesn't even say
    what it is, StoreFailedError when it cannot be read.
    """
    check = _Fsck(database, list(verifiers), keys_of, rehash, progress)
    with database.read():
        check.report.origin, key = check.reader.require()
        if key not in map(str, check.verifiers):
            check.report.add("meta", "verifier_key", "the store states another key")
        steps = (
            check.pages,
            check.checkpoints,
            check.leaves,
            check.tiles,
            check.uniqueness,
            check.quarantine,
            check.offsets,
            check.tallies,
            check.tables,
        )
        for step in steps:
            try:
                step()
            except TamperedError as error:
                check.report.add("database", step.__name__, str(error))
    if pinned is not None:
        check.pinned(pinned)
    return check.report


class _Fsck:
    def __init__(
        self, database: Database, verifiers: list[Verifier], keys_of: KeysOf | None, rehash: bool, progress: Progress | None
    ) -> None:
        self.db = database
        self.reader = LogReader(database)
        self.report = Report()
        self.verifiers = verifiers
        self._keys_of = keys_of
        self._rehash = rehash
        self._progress = progress
        self._signed: list[Checkpoint] = []
        self._created: dict[int, int] = {}
        self._positions = Positions(self.report, columns=True)
        self._tree = Regrown(self.report, ())
        self._tally: dict[tuple[str, str], int] = {}
        self._quarantined: dict[int, tuple[str, str]] = {}

    def pages(self) -> None:
        for problem in self.db.integrity():
            self.report.add("database", "-", problem)

    def checkpoints(self) -> None:
        """Signatures, origin, and that columns say what notes say; roots are compared while leaves are read."""
        for size, root, note, created_ms in self._all(
            "SELECT size, root, note, created_ms FROM checkpoint WHERE size > ? ORDER BY size LIMIT ?"
        ):
            self.report.checkpoints += 1
            self._created[int(size)] = int(created_ms)
            try:
                checkpoint = open_checkpoint(str(note), origin=self.report.origin, log=self.verifiers)
            except TranslogError as error:
                self.report.add("checkpoint-signature", size, str(error))
                continue
            if (checkpoint.size, checkpoint.root) != (int(size), bytes(root)):
                self.report.add("checkpoint-columns", size, "size or root differ from the signed note")
            self._signed.append(checkpoint)
        if not self._signed:
            self.report.add("checkpoint-missing", "-", "no checkpoint of a known key")

    def leaves(self) -> None:
        expected = 0
        self._tree = Regrown(self.report, (("root", checkpoint) for checkpoint in self._signed))
        self._tree.grow([])
        after = -(1 << 62)
        while page := self._page(after):
            after = int(page[-1][0])
            self._tree.grow([self._leaf(expected + n, row) for n, row in enumerate(page)])
            expected += len(page)
            if self._progress:
                self._progress(expected)
        self.report.size = expected
        self._positions.finish(expected)
        newest = max((checkpoint.size for checkpoint in self._signed), default=0)
        if newest != expected:
            self.report.add("size", newest, f"the newest checkpoint is of {newest} leaves, the store holds {expected}")

    def tiles(self) -> None:
        widths = {(level, index): width for level, index, width in tiles_of(self.report.size)}
        for (level,) in self.db.query("SELECT DISTINCT level FROM tile ORDER BY level"):
            sql = f"SELECT tile_index, hashes FROM tile WHERE level = {int(level)} AND tile_index > ? ORDER BY tile_index LIMIT ?"  # noqa: S608
            for index, hashes in self._all(sql):
                self.report.tiles += 1
                if widths.pop((int(level), int(index)), None) is None:
                    self.report.add("tile-extra", f"{level}/{index}", "no tree of this size has this tile")
                elif hashlib.sha256(hashes).digest() != self._tree.tiles[int(level), int(index)]:
                    self.report.add("tile", f"{level}/{index}", "hashes differ from the leaves")
        for level, index in widths:
            self.report.add("tile-missing", f"{level}/{index}", "the tile is not stored")

    def uniqueness(self) -> None:
        for event_id, count in self.db.query(
            "SELECT event_id, COUNT(*) FROM leaf WHERE kind = 'record' GROUP BY event_id HAVING COUNT(*) > 1 ORDER BY event_id LIMIT 100"
        ):
            self.report.add("event-id", event_id, f"{count} records have this id")

    def quarantine(self) -> None:
        rows: dict[int, tuple[str, str]] = {}
        for index, digest, sealed in self._all(
            "SELECT leaf_index, content_hash, sealed FROM quarantine WHERE leaf_index > ? ORDER BY leaf_index LIMIT ?"
        ):
            rows[int(index)] = (bytes(digest).hex(), hashlib.sha256(sealed).hexdigest())
        for index, committed in self._quarantined.items():
            stored = rows.pop(index, None)
            if stored is None:
                self.report.add("quarantine-missing", index, "the content that the leaf commits to is not there")
            elif stored != committed:
                self.report.add("quarantine", index, "the sealed content is not what the leaf commits to")
        for index in rows:
            self.report.add("quarantine-extra", index, "no leaf belongs to this content")

    def offsets(self) -> None:
        """Consumption must stand behind every leaf that came from a partition."""
        for topic, partition, next_offset, highest in self.db.query(
            "SELECT s.topic, s.partition_id, s.next_offset, MAX(l.source_offset) FROM source s JOIN leaf l ON l.source_id = s.source_id"
            " GROUP BY s.source_id, s.topic, s.partition_id, s.next_offset"
        ):
            if highest is not None and int(highest) >= int(next_offset):
                self.report.add("offset", f"{topic}/{partition}", f"next offset {next_offset} although offset {highest} is in the log")

    def tallies(self) -> None:
        stored = self.reader.tallies()
        for key in stored.keys() | self._tally.keys():
            if stored.get(key) != self._tally.get(key):
                self.report.add("tally", "/".join(key), f"{stored.get(key)} counted, {self._tally.get(key)} stored")

    def tables(self) -> None:
        """What stands beside the tree, against the position leaves: rows, epoch, and when each checkpoint was made."""
        said, schema = self._positions, self.reader.schema()
        if said.newer:
            return
        if schema < SCHEMA_VERSION or (said.first is None and self.report.size):
            if schema == SCHEMA_VERSION or said.first is not None:
                self.report.add("meta", "schema_version", f"the leaves are not those of schema {schema}")
            return
        for row in said.rows.differences(Rows(self.reader.rows())):
            self.report.add("rows", row, "the table or the newest position leaf has this row, not both")
        epoch, due = self.reader.epoch(), said.newest.writer_epoch if said.newest else 0
        if epoch != due:
            self.report.add("writer", epoch, f"the newest position leaf is of epoch {due}")
        for size in sorted(said.ends.keys() | {size for size in self._created if size > (said.first or -1)} if said.ends else ()):
            if self._created.get(size) != said.ends.get(size):
                self.report.add("checkpoint-time", size, "a checkpoint without a transaction, a transaction without one, or another time")

    def pinned(self, pinned: Checkpoint) -> None:
        try:
            check_pinned(self.reader, pinned)
        except TranslogError as error:
            self.report.add("pinned", pinned.size, str(error))

    def _all(self, sql: str) -> Iterator[Row]:
        """Rows page by page; `sql` takes the last key (its first column) and a limit."""
        after = -(1 << 62)
        while page := self.db.query(sql, (after, _PAGE)):
            yield from page
            after = int(page[-1][0])

    def _page(self, after: int) -> list[Row]:
        return self.db.query(
            f"SELECT {', '.join(LeafRow._fields)} FROM leaf WHERE leaf_index > ? ORDER BY leaf_index LIMIT ?",  # noqa: S608
            (after, _PAGE),
        )

    def _leaf(self, expected: int, row: Row) -> bytes:
        index, kind, raw, raw_hash = int(row[0]), str(row[1]), bytes(row[2]), bytes(row[3])
        if index != expected:
            self.report.add("index", index, f"leaf {expected} was due")
        hashed = leaf_hash(raw) if self._rehash else raw_hash
        if hashed != raw_hash:
            self.report.add("leaf-hash", index, "the stored hash is not the hash of the body")
        tally = kind, (row[7] or "") if kind == Kind.RECORD else ""
        self._tally[tally] = self._tally.get(tally, 0) + 1
        try:
            leaf = stated(self.report, index, raw)
        except MalformedError as error:
            self.report.add("kind", index, str(error))
        else:
            committed = leaf.kind if leaf else Kind.RECORD
            if committed != kind:
                self.report.add("kind", index, f"column says {kind}, the committed bytes say {committed}")
            self._columns(index, leaf, raw, row)
        return hashed

    def _columns(self, index: int, leaf: SystemLeaf | None, body: bytes, row: Row) -> None:
        of_source, received_ms = row[8:11], int(row[11])
        if leaf is None:
            self._record(index, body, row[4:8])
        elif leaf.known:
            self._own(index, leaf, row)
        if leaf is not None and leaf.kind == Kind.POSITION:
            self._positions.position(index, leaf, body, received_ms)
        else:
            self._positions.leaf(of_source, received_ms)

    def _record(self, index: int, body: bytes, columns: Row) -> None:
        if self._keys_of is None:
            return
        keys = read_keys(self.report, index, body, self._keys_of)
        if keys is not None and key_columns(keys) != columns:
            self.report.add("keys", index, "key columns differ from the committed bytes")

    def _own(self, index: int, leaf: SystemLeaf, row: Row) -> None:
        """Key columns of what the log wrote itself: none, but for the id of a conflict. Schema 1 kept more."""
        if leaf.kind in (Kind.CONFLICT, Kind.POISON):
            content = leaf.fields.get("commitment" if leaf.version > 1 else "sha256")
            self._quarantined[index] = (str(content), str(leaf.fields.get("sealed_sha256")))
        of_kind = (leaf.fields.get("event_id"), *NO_KEYS[1:]) if leaf.kind == Kind.CONFLICT else NO_KEYS
        position = leaf.kind == Kind.POSITION
        wrong_keys = row[4:8] != of_kind and (position or self._positions.first is not None)
        if wrong_keys or (position and row[8:11] != (None, None, None)):
            self.report.add("keys", index, "columns that a leaf of the log itself does not have")
