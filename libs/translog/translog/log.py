"""The one writer of a log: whole batches, one transaction each.

A batch is leaves, tiles, checkpoint, producer positions and Kafka offsets, all or nothing. After any failure the object is spent: what
it holds in memory may not be what the database holds, so the caller opens the log again and consumes again from the stored offsets.
"""

from collections.abc import Callable
from dataclasses import dataclass

from translog.anchor import check_pinned
from translog.checkpoint import Checkpoint, open_checkpoint
from translog.database import Database, create_schema
from translog.entries import Batch, Kind, NextOffset, ProducerPosition
from translog.errors import RewrittenError, StoreFailedError, StoreFencedError, TamperedError
from translog.note import Signer
from translog.planning import LeafRow, Outcome, Planner
from translog.reader import LogReader
from translog.tree import Frontier

Seal = Callable[[bytes], bytes]
"""Encrypts bytes that wait in quarantine; the log never stores them open."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What a batch became. `outcomes` stand in the order of the batch's entries."""

    checkpoint: Checkpoint
    note: str
    outcomes: tuple[Outcome, ...]


class Log:
    """Writes one log; its origin is the signer's name."""

    def __init__(self, database: Database, signer: Signer, seal: Seal) -> None:
        self._db = database
        self._signer = signer
        self._seal = seal
        self._reader = LogReader(database)
        self._frontier = Frontier()
        self._sources: dict[tuple[str, int, str], tuple[int, int]] = {}
        self._epoch = 0
        self._note = ""
        self._spent = False

    @classmethod
    def open(cls, database: Database, *, signer: Signer, seal: Seal, now_ms: int, pinned: Checkpoint | None = None) -> "Log":
        """Take over or create the log in `database`, which must have been opened for writing.

        Raises TamperedError when the right edge contradicts the newest checkpoint, RewrittenError for a log of another key or origin,
        RolledBackError and RewrittenError against `pinned`, StoreFailedError.
        """
        log = cls(database, signer, seal)
        if not database.has_table("meta"):
            log._create(now_ms)
        with database.read():
            log._load()
        if pinned is not None:
            check_pinned(log._reader, pinned)
        with database.write():
            database.execute("UPDATE writer SET epoch = epoch + 1 WHERE id = 1")
            log._epoch = int(database.query("SELECT epoch FROM writer WHERE id = 1")[0][0])
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
        return self._reader.offsets()

    def producers(self) -> list[ProducerPosition]:
        return self._reader.producers()

    def append(self, batch: Batch) -> Committed:
        """Commit a batch. Raises StoreFencedError, StoreFailedError; after any exception the log is spent."""
        if self._spent:
            raise StoreFailedError("a commit failed before: open the log again")
        self._spent = True
        with self._db.write():
            self._fence()
            planner = Planner(self._db, first_index=self.size, source_id=self._source_id, seal=self._seal)
            plan = planner.plan(batch)
            checkpoint = self._store(plan.leaves, batch.received_ms)
            planner.store_quarantine()
            self._store_offsets(batch.offsets)
            self._store_producers(batch.producers)
        self._spent = False
        return Committed(checkpoint, self._note, plan.outcomes)

    def _create(self, now_ms: int) -> None:
        with self._db.write():
            create_schema(self._db, origin=self._signer.name, verifier_key=str(self._signer.verifier))
            self._checkpoint(now_ms)

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
        rows = self._db.query("SELECT source_id, topic, partition_id, topic_id, next_offset FROM source")
        self._sources = {(t, int(p), tid): (int(s), int(o)) for s, t, p, tid, o in rows}
        self._note = note

    def _fence(self) -> None:
        if self._db.execute("UPDATE writer SET epoch = epoch WHERE id = 1 AND epoch = ?", (self._epoch,)) != 1:
            raise StoreFencedError("a later writer has taken the store over")

    def _store(self, leaves: list[LeafRow], received_ms: int) -> Checkpoint:
        if leaves:
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
            changed = self._frontier.append([leaf.leaf_hash for leaf in leaves])
            self._db.executemany(
                "INSERT INTO tile (level, tile_index, hashes) VALUES (?, ?, ?)"
                " ON CONFLICT (level, tile_index) DO UPDATE SET hashes = excluded.hashes",
                [(*key, hashes) for key, hashes in changed.items()],
            )
            return self._checkpoint(received_ms)
        return open_checkpoint(self._note, origin=self._signer.name, log=[self._signer.verifier])

    def _checkpoint(self, now_ms: int) -> Checkpoint:
        checkpoint = Checkpoint(self._signer.name, self.size, self._frontier.root())
        self._note = checkpoint.sign([self._signer])
        self._db.execute(
            "INSERT INTO checkpoint (size, root, note, created_ms) VALUES (?, ?, ?, ?)",
            (checkpoint.size, checkpoint.root, self._note, now_ms),
        )
        return checkpoint

    def _source_id(self, topic: str, partition: int, topic_id: str) -> int:
        """Row of a partition; made when first seen, with nothing consumed."""
        key = (topic, partition, topic_id)
        if key not in self._sources:
            source_id = 1 + max((known for known, _ in self._sources.values()), default=0)
            self._db.execute(
                "INSERT INTO source (source_id, topic, partition_id, topic_id, next_offset) VALUES (?, ?, ?, ?, 0)", (source_id, *key)
            )
            self._sources[key] = (source_id, 0)
        return self._sources[key][0]

    def _store_offsets(self, offsets: tuple[NextOffset, ...]) -> None:
        for offset in offsets:
            key = (offset.topic, offset.partition, offset.topic_id)
            source_id = self._source_id(*key)
            if offset.offset < self._sources[key][1]:
                raise TamperedError(
                    f"offset of {offset.topic}/{offset.partition} would go back from {self._sources[key][1]} to {offset.offset}"
                )
            self._db.execute("UPDATE source SET next_offset = ? WHERE source_id = ?", (offset.offset, source_id))
            self._sources[key] = (source_id, offset.offset)

    def _store_producers(self, producers: tuple[ProducerPosition, ...]) -> None:
        self._db.executemany(
            "INSERT INTO producer (name, epoch, last_sequence) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, last_sequence = excluded.last_sequence",
            [(p.name, p.epoch, p.sequence) for p in producers],
        )
