"""The one writer of a log: whole batches, one transaction each.

A transaction is leaves, a position leaf, tiles, checkpoint, producer positions and Kafka offsets, all or nothing. After any failure the
object is spent: what it holds in memory may not be what the database holds, so the caller opens the log again and consumes again from the
stored offsets.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from translog.anchor import check_pinned
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.database import SCHEMA_VERSION, Database, create_schema, migrate_schema
from translog.entries import Batch, Commit, Kind, NextOffset, ProducerPosition, kind_of
from translog.errors import RewrittenError, StoreFailedError, StoreFencedError, TamperedError
from translog.merkle import EMPTY_ROOT, leaf_hash, verify_inclusion
from translog.note import Signer
from translog.planning import LeafRow, Outcome, Planner
from translog.positions import Position, ProducerRow, Rows, SourceRow, TableRow, bodies, leaves_digest
from translog.reader import LogReader
from translog.tree import Frontier, TileTree

Seal = Callable[[bytes], bytes]
"""Encrypts bytes that wait in quarantine; the log never stores them open."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What a batch became. `outcomes` stand in the order of the batch's entries."""

    checkpoint: Checkpoint
    note: str
    outcomes: tuple[Outcome, ...]


def create(database: Database, signer: Signer, now_ms: int) -> None:
    """Make the log, with a signed checkpoint and no leaf, where there is none yet. Raises StoreFailedError."""
    if database.has_table("meta"):
        return
    note = Checkpoint(signer.name, 0, EMPTY_ROOT).sign([signer])
    with database.write():
        create_schema(database, origin=signer.name, verifier_key=str(signer.verifier))
        database.execute("INSERT INTO checkpoint (size, root, note, created_ms) VALUES (0, ?, ?, ?)", (EMPTY_ROOT, note, now_ms))


class Log:
    """Writes one log; its origin is the signer's name."""

    def __init__(self, database: Database, signer: Signer, seal: Seal, commit: Commit) -> None:
        self._db = database
        self._signer = signer
        self._seal = seal
        self._commit = commit
        self._reader = LogReader(database)
        self._frontier = Frontier()
        self._rows = Rows()
        self._sources: dict[tuple[str, int, str], SourceRow] = {}
        self._moved: dict[int, SourceRow] = {}
        self._epoch = 0
        self._checkpoint = Checkpoint(signer.name, 0, EMPTY_ROOT)
        self._note = ""
        self._spent = False

    @classmethod
    def open(
        cls, database: Database, *, signer: Signer, seal: Seal, commit: Commit, now_ms: int, pinned: Iterable[Checkpoint] = ()
    ) -> "Log":
        """Take over or create the log in `database`, which must have been opened for writing; a store of schema 1 becomes one of schema 2.

        Raises TamperedError and ProofError when the right edge contradicts the newest checkpoint or the tables contradict the newest
        position leaf, NewerFormatError, RewrittenError for a log of another key or origin, RolledBackError and RewrittenError against
        `pinned`, StoreFailedError.
        """
        create(database, signer, now_ms)
        log = cls(database, signer, seal, commit)
        with database.read():
            log._load()
        for checkpoint in pinned:
            check_pinned(log._reader, checkpoint)
        with database.write():
            log._take_over(now_ms)
        return log

    @property
    def reader(self) -> LogReader:
        """Reads over the writer's own connection: only from the writer's thread."""
        return self._reader

    @property
    def size(self) -> int:
        return self._frontier.size

    @property
    def note(self) -> str:
        """The newest signed checkpoint."""
        return self._note

    @property
    def spent(self) -> bool:
        """A commit failed: open the log again."""
        return self._spent

    def offsets(self) -> list[NextOffset]:
        """Where consumption goes on, of the newest topic id of each partition: as checked at the start, whatever the tables say by now."""
        rows = [row for row in self._rows.all() if isinstance(row, SourceRow)]
        newest = {(row.topic, row.partition_id): NextOffset(row.topic, row.partition_id, row.topic_id, row.next_offset) for row in rows}
        return list(newest.values())

    def producers(self) -> list[ProducerPosition]:
        """Last position of every producer, as `offsets`."""
        return [ProducerPosition(*row) for row in self._rows.all() if isinstance(row, ProducerRow)]

    def append(self, batch: Batch) -> Committed:
        """Commit a batch; one that changes nothing leaves no trace.

        Raises StoreFencedError, StoreFailedError; after any exception the log is spent.
        """
        if self._spent:
            raise StoreFailedError("a commit failed before: open the log again")
        self._spent = True
        with self._db.write():
            self._fence()
            planner = Planner(self._db, first_index=self.size, source_id=self._source_id, seal=self._seal, commit=self._commit)
            plan = planner.plan(batch)
            changed = self._changed(batch)
            if plan.leaves or changed:
                self._store_rows(changed)
                self._store(plan.leaves, changed, batch.received_ms)
                planner.store_quarantine()
        self._spent = False
        return Committed(self._checkpoint, self._note, plan.outcomes)

    def _load(self) -> None:
        origin, verifier_key = self._reader.require()
        if (origin, verifier_key) != (self._signer.name, str(self._signer.verifier)):
            raise RewrittenError("the store belongs to another log or key")
        size, note = self._reader.checkpoint_note()
        checkpoint = open_checkpoint(note, origin=origin, log=[self._signer.verifier])
        last = self._db.query("SELECT MAX(leaf_index) FROM leaf")[0][0]
        if checkpoint.size != size or size != (0 if last is None else int(last) + 1):
            raise TamperedError(f"the newest checkpoint is of {checkpoint.size} leaves, the store ends at leaf {last}")
        self._frontier = Frontier.load(size, self._reader.tile)
        if self._frontier.root() != checkpoint.root:
            raise TamperedError("the right edge of the tree contradicts the newest checkpoint")
        self._checkpoint, self._note = checkpoint, note
        rows = self._reader.rows()
        self._rows = Rows(rows)
        self._sources = {(row.topic, row.partition_id, row.topic_id): row for row in rows if isinstance(row, SourceRow)}
        self._epoch = self._reader.epoch()
        self._check_tables()

    def _check_tables(self) -> None:
        """Against the newest position leaf; a log that has none yet is an empty one, or of schema 1."""
        if self.size == 0:
            sound = self._reader.schema() < SCHEMA_VERSION or (self._epoch, self._rows.digest()) == (0, Rows().digest())
        else:
            body = self._reader.bodies(self.size - 1, self.size)[0]
            proof = TileTree(self.size, self._reader.tile).inclusion(self.size - 1, self.size)
            verify_inclusion(leaf=leaf_hash(body), index=self.size - 1, size=self.size, proof=proof, root=self._checkpoint.root)
            is_position = kind_of(body) is Kind.POSITION
            if is_position != (self._reader.schema() == SCHEMA_VERSION):
                raise TamperedError("the newest leaf is not of the schema that the store states")
            sound = not is_position or Position.parse(body).agrees(self._epoch, self._rows)
        if not sound:
            raise TamperedError("offsets, producers or epoch are not those that the newest leaf commits to: see finmesh audit fsck")

    def _take_over(self, now_ms: int) -> None:
        """Fence every earlier writer. The first position leaf of a log holds all rows and is as old as the log, if that was empty."""
        first = self._reader.schema() < SCHEMA_VERSION
        if first:
            migrate_schema(self._db)
        self._fence(self._epoch + 1)
        self._epoch += 1
        if self.size == 0:
            now_ms = int(self._db.query("SELECT created_ms FROM checkpoint WHERE size = 0")[0][0])
        self._store([], self._rows.all() if first else [], now_ms)

    def _fence(self, epoch: int | None = None) -> None:
        wanted = self._epoch if epoch is None else epoch
        if self._db.execute("UPDATE writer SET epoch = ? WHERE id = 1 AND epoch = ?", (wanted, self._epoch)) != 1:
            raise StoreFencedError("a later writer has taken the store over")

    def _store(self, leaves: list[LeafRow], changed: Sequence[TableRow], received_ms: int) -> None:
        """Leaves with their position, tallies, tiles, checkpoint."""
        digest = leaves_digest(leaf.source_columns for leaf in leaves)
        position = Position(
            received_ms=received_ms,
            writer_epoch=self._epoch,
            sources=(),
            producers=(),
            rows_sha256=self._rows.digest(),
            leaves_sha256=digest,
        )
        first = self.size + len(leaves)
        leaves = leaves + [LeafRow.of_position(first + n, body, received_ms) for n, body in enumerate(bodies(position, changed))]
        columns = ", ".join(LeafRow._fields)
        self._db.executemany(f"INSERT INTO leaf ({columns}) VALUES ({', '.join('?' * len(LeafRow._fields))})", leaves)  # noqa: S608
        tallies: dict[tuple[str, str], int] = {}
        for leaf in leaves:
            key = (leaf.kind, leaf.tenant or "" if leaf.kind == Kind.RECORD else "")
            tallies[key] = tallies.get(key, 0) + 1
        self._db.executemany(
            "INSERT INTO tally (kind, tenant, leaves) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, tenant) DO UPDATE SET leaves = tally.leaves + excluded.leaves",
            [(*key, count) for key, count in tallies.items()],
        )
        tiles = self._frontier.append([leaf.leaf_hash for leaf in leaves])
        self._db.executemany(
            "INSERT INTO tile (level, tile_index, hashes) VALUES (?, ?, ?)"
            " ON CONFLICT (level, tile_index) DO UPDATE SET hashes = excluded.hashes",
            [(*key, hashes) for key, hashes in tiles.items()],
        )
        self._checkpoint = Checkpoint(self._signer.name, self.size, self._frontier.root())
        self._note = self._checkpoint.sign([self._signer])
        self._db.execute(
            "INSERT INTO checkpoint (size, root, note, created_ms) VALUES (?, ?, ?, ?)",
            (self.size, self._checkpoint.root, self._note, received_ms),
        )

    def _source_id(self, topic: str, partition: int, topic_id: str) -> int:
        """Id of a partition; given when first seen, with nothing consumed."""
        key = (topic, partition, topic_id)
        if key not in self._sources:
            source_id = 1 + max((row.source_id for row in self._sources.values()), default=0)
            self._sources[key] = self._moved[source_id] = SourceRow(source_id, *key, 0)
        return self._sources[key].source_id

    def _changed(self, batch: Batch) -> list[TableRow]:
        """The rows of both tables that this batch changes."""
        for offset in batch.offsets:
            key = (offset.topic, offset.partition, offset.topic_id)
            source_id = self._source_id(*key)
            before = self._sources[key].next_offset
            if offset.offset < before:
                raise TamperedError(f"offset of {offset.topic}/{offset.partition} would go back from {before} to {offset.offset}")
            self._sources[key] = self._moved[source_id] = SourceRow(source_id, *key, offset.offset)
        producers = {p.name: ProducerRow(p.name, p.epoch, p.sequence) for p in batch.producers}
        changed = self._rows.put([*self._moved.values(), *producers.values()])
        self._moved = {}
        return changed

    def _store_rows(self, changed: Iterable[TableRow]) -> None:
        self._db.executemany(
            "INSERT INTO source (source_id, topic, partition_id, topic_id, next_offset) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (source_id) DO UPDATE SET next_offset = excluded.next_offset",
            [row for row in changed if isinstance(row, SourceRow)],
        )
        self._db.executemany(
            "INSERT INTO producer (name, epoch, last_sequence) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, last_sequence = excluded.last_sequence",
            [row for row in changed if isinstance(row, ProducerRow)],
        )
