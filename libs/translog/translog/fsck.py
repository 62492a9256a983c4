"""Check a whole log: every body hashed again, every tile and checkpoint computed again, nothing believed.

What it cannot see: a history that its operator rewrote and signed again. For that bring a pinned checkpoint. Key columns are not
committed by the tree; give `keys_of` (the record's codec) to compare them with the committed bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from translog.anchor import check_pinned
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.database import Database, Row
from translog.entries import Keys, Kind, kind_of
from translog.errors import ExitCode, MalformedError, TamperedError, TranslogError
from translog.merkle import leaf_hash
from translog.note import Verifier
from translog.reader import LogReader
from translog.tiles import MAX_ENTRY_BYTES
from translog.tree import Frontier, tiles_of

_PAGE = 8192
_MAX_FINDINGS = 1000

KeysOf = Callable[[bytes], Keys]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `check` is a stable word; `where` names the row."""

    check: str
    where: str
    detail: str


@dataclass(slots=True)
class Report:
    """What was checked and what was found."""

    origin: str = ""
    size: int = 0
    checkpoints: int = 0
    tiles: int = 0
    kinds: dict[Kind, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    truncated: bool = False

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.TAMPER if self.findings else ExitCode.OK

    def add(self, check: str, where: object, detail: str) -> None:
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append(Finding(check, str(where), detail))
        else:
            self.truncated = True


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

    Raises NotFoundError when there is no log, StoreFailedError when it cannot be read.
    """
    check = _Fsck(database, list(verifiers), keys_of, rehash, progress)
    with database.read():
        check.report.origin, _ = check.reader.require()
        steps = (
            check.pages,
            check.checkpoints,
            check.leaves,
            check.tiles,
            check.uniqueness,
            check.quarantine,
            check.offsets,
            check.tallies,
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
        self._verifiers = verifiers
        self._keys_of = keys_of
        self._rehash = rehash
        self._progress = progress
        self._signed: dict[int, bytes] = {}
        self._frontier = Frontier()
        self._computed: dict[tuple[int, int], bytes] = {}
        self._tally: dict[tuple[str, str], int] = {}
        self._quarantined: dict[int, tuple[str, str]] = {}

    def pages(self) -> None:
        for problem in self.db.integrity():
            self.report.add("database", "-", problem)

    def checkpoints(self) -> None:
        """Signatures, origin, and that columns say what notes say; roots are compared while leaves are read."""
        for size, root, note in self._all("SELECT size, root, note FROM checkpoint WHERE size > ? ORDER BY size LIMIT ?"):
            self.report.checkpoints += 1
            try:
                checkpoint = open_checkpoint(str(note), origin=self.report.origin, log=self._verifiers)
            except TranslogError as error:
                self.report.add("checkpoint-signature", size, str(error))
                continue
            if (checkpoint.size, checkpoint.root) != (int(size), bytes(root)):
                self.report.add("checkpoint-columns", size, "size or root differ from the signed note")
            self._signed[checkpoint.size] = checkpoint.root
        if not self._signed:
            self.report.add("checkpoint-missing", "-", "no checkpoint of a known key")

    def leaves(self) -> None:
        expected, sizes = 0, iter(sorted(self._signed))
        due = next(sizes, None)
        while due == 0:
            self._compare_root(0)
            due = next(sizes, None)
        after = -(1 << 62)
        while page := self._page(after):
            after = int(page[-1][0])
            hashes = [self._leaf(expected + n, row) for n, row in enumerate(page)]
            start = 0
            while due is not None and due <= expected + len(page):
                self._grow(hashes[start : due - expected])
                start = due - expected
                self._compare_root(due)
                due = next(sizes, None)
            self._grow(hashes[start:])
            expected += len(page)
            if self._progress:
                self._progress(expected)
        self.report.size = expected
        newest = max(self._signed, default=0)
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
                elif hashlib.sha256(hashes).digest() != self._computed[int(level), int(index)]:
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
        stored = {(kind.value, tenant): n for (kind, tenant), n in self.reader.tallies().items()}
        for key in stored.keys() | self._tally.keys():
            if stored.get(key, 0) != self._tally.get(key, 0):
                self.report.add("tally", "/".join(key), f"{stored.get(key, 0)} counted, {self._tally.get(key, 0)} stored")

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
            "SELECT leaf_index, kind, body, leaf_hash, event_id, request_id, decision_id, tenant FROM leaf"
            " WHERE leaf_index > ? ORDER BY leaf_index LIMIT ?",
            (after, _PAGE),
        )

    def _leaf(self, expected: int, row: Row) -> bytes:
        index, kind, raw, raw_hash, *columns = row
        body, stored = bytes(raw), bytes(raw_hash)
        if int(index) != expected:
            self.report.add("index", index, f"leaf {expected} was due")
        if len(body) > MAX_ENTRY_BYTES:
            self.report.add("length", index, f"{len(body)} bytes do not fit an entry bundle")
        hashed = leaf_hash(body) if self._rehash else stored
        if hashed != stored:
            self.report.add("leaf-hash", index, "the stored hash is not the hash of the body")
        tenant = columns[3] or "" if kind == Kind.RECORD else ""
        self._tally[kind, tenant] = self._tally.get((kind, tenant), 0) + 1
        self._kind(int(index), str(kind), body)
        if kind == Kind.RECORD and self._keys_of is not None:
            self._keys(int(index), body, columns)
        return hashed

    def _kind(self, index: int, kind: str, body: bytes) -> None:
        try:
            committed = kind_of(body)
        except MalformedError as error:
            self.report.add("kind", index, str(error))
            return
        self.report.kinds[committed] = self.report.kinds.get(committed, 0) + 1
        if committed != kind:
            self.report.add("kind", index, f"column says {kind}, the committed bytes say {committed}")
        if committed in (Kind.CONFLICT, Kind.POISON):
            facts = json.loads(body)
            self._quarantined[index] = (str(facts.get("sha256")), str(facts.get("sealed_sha256")))

    def _keys(self, index: int, body: bytes, columns: list[object]) -> None:
        assert self._keys_of is not None
        try:
            keys = self._keys_of(body)
        except (TranslogError, ValueError) as error:
            self.report.add("record", index, f"not a record: {error}")
            return
        if [keys.event_id, keys.request_id, keys.decision_id, keys.tenant] != [column or "" for column in columns]:
            self.report.add("keys", index, "key columns differ from the committed bytes")

    def _grow(self, hashes: list[bytes]) -> None:
        """Tiles are kept as digests: 32 bytes each instead of 8 KiB."""
        for key, tile in self._frontier.append(hashes).items():
            self._computed[key] = hashlib.sha256(tile).digest()

    def _compare_root(self, size: int) -> None:
        if self._frontier.root() != self._signed[size]:
            self.report.add("root", size, "the signed root is not the root of the stored leaves")
