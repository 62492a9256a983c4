"""Reading a log: leaves, proofs, checkpoints. Every call is one snapshot, so a proof and its checkpoint always belong together."""

from dataclasses import dataclass

from translog.checkpoint import MAX_SIZE
from translog.database import SCHEMA_VERSION, Database, Row
from translog.entries import Kind
from translog.errors import NewerFormatError, NotFoundError, TamperedError
from translog.merkle import verify_inclusion
from translog.positions import ProducerRow, SourceRow, TableRow
from translog.tree import TileTree

_OF_DECISION = ("decision_id = ?",)
_OF_REQUEST = (  # a request that bears its decision's id stands in the decisions' index alone
    "request_id = ? AND request_id <> COALESCE(decision_id, '')",
    "decision_id = ? AND request_id = decision_id",
)
_LEAF = "leaf_index, kind, body, leaf_hash, event_id, request_id, decision_id, tenant, received_ms"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A stored leaf."""

    index: int
    kind: Kind
    body: bytes
    leaf_hash: bytes
    event_id: str
    request_id: str
    decision_id: str
    tenant: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """All that verifies a leaf offline: `note` is the signed checkpoint of a tree of `size` leaves."""

    leaf: Leaf
    size: int
    hashes: tuple[bytes, ...]
    note: str


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """All that shows one log state to be a prefix of another. `old_note` is empty where no checkpoint of that size was signed."""

    old_size: int
    new_size: int
    hashes: tuple[bytes, ...]
    old_note: str
    new_note: str


class LogReader:
    """Over any Database; holds no state of its own."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def require(self) -> tuple[str, str]:
        """(origin, verifier key text). Raises NotFoundError for a database without a log, NewerFormatError, TamperedError."""
        self.schema()
        meta = self._meta()
        return meta["origin"], meta["verifier_key"]

    def schema(self) -> int:
        """Version of the store's schema, 1 or 2. Raises what `require` raises."""
        meta = self._meta()
        stated = meta.get("schema_version", "")
        if stated.isascii() and stated.isdigit() and len(stated) < 10 and int(stated) > SCHEMA_VERSION:
            raise NewerFormatError(f"a store of schema {stated}: a newer program wrote it")
        if stated not in ("1", "2") or meta.keys() != {"schema_version", "origin", "verifier_key"}:
            raise TamperedError("the store's own description is not one that this program writes")
        return int(stated)

    def rows(self) -> list[TableRow]:
        """All rows of the tables that position leaves commit to."""
        sources = self._db.query("SELECT source_id, topic, partition_id, topic_id, next_offset FROM source")
        producers = self._db.query("SELECT name, epoch, last_sequence FROM producer")
        return [*(SourceRow(*row) for row in sources), *(ProducerRow(*row) for row in producers)]

    def epoch(self) -> int:
        """The newest writer's. Raises TamperedError when there is not one row for it."""
        rows = self._db.query("SELECT id, epoch FROM writer")
        if len(rows) != 1 or rows[0][0] != 1:
            raise TamperedError("the writer's row is not there, or not alone")
        return int(rows[0][1])

    def checkpoint_note(self) -> tuple[int, str]:
        """(size, signed note) of the newest checkpoint. Raises TamperedError when there is none."""
        rows = self._db.query("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1")
        if not rows:
            raise TamperedError("the log has no checkpoint")
        return int(rows[0][0]), str(rows[0][1])

    def tile(self, level: int, index: int) -> bytes:
        """Hashes of a tile. Raises NotFoundError."""
        rows = self._db.query("SELECT hashes FROM tile WHERE level = ? AND tile_index = ?", (level, index))
        if not rows:
            raise NotFoundError(f"no tile {level}/{index}")
        return bytes(rows[0][0])

    def bodies(self, start: int, end: int) -> list[bytes]:
        """Leaf bodies start..end-1."""
        rows = self._db.query("SELECT body FROM leaf WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index", (start, end))
        if len(rows) != end - start:
            raise TamperedError(f"leaves are missing between {start} and {end}")
        return [bytes(row[0]) for row in rows]

    def leaf(self, index: int) -> Leaf:
        """Raises NotFoundError."""
        return self._one("leaf_index = ?", (index,), f"no leaf {index}")

    def record(self, event_id: str) -> Leaf:
        """The record of this id. Raises NotFoundError."""
        return self._one("kind = 'record' AND event_id = ?", (event_id,), f"no record {event_id}")

    def find(self, *, request_id: str = "", decision_id: str = "", tenant: str, after: int = -1, limit: int = 100) -> list[Leaf]:
        """Records of a request or of a decision, oldest first, with index above `after`."""
        ways = _OF_REQUEST if request_id else _OF_DECISION
        wanted = (request_id or decision_id, tenant, after)
        selects = (f"SELECT {_LEAF} FROM leaf WHERE kind = 'record' AND {way} AND tenant = ? AND leaf_index > ?" for way in ways)  # noqa: S608
        query = " UNION ALL ".join(selects) + " ORDER BY leaf_index LIMIT ?"
        return [_leaf(row) for row in self._db.query(query, (*wanted * len(ways), limit))]

    def inclusion(self, event_id: str, size: int = 0) -> InclusionProof:
        """Prove a record against the checkpoint of `size`, the newest when 0. Raises NotFoundError, TamperedError (proof does not hold)."""
        with self._db.read():
            return self._inclusion(self.record(event_id), size)

    def consistency(self, old_size: int, new_size: int = 0) -> ConsistencyProof:
        """Prove that `old_size` is a prefix of `new_size` (the newest when 0), which must have a checkpoint. Raises NotFoundError."""
        with self._db.read():
            new_size, new_note = self._checkpoint(new_size)
            hashes = TileTree(new_size, self.tile).consistency(old_size, new_size)
            rows = self._db.query("SELECT note FROM checkpoint WHERE size = ?", (old_size,))
            return ConsistencyProof(old_size, new_size, tuple(hashes), str(rows[0][0]) if rows else "", new_note)

    def root_at(self, size: int) -> bytes:
        """Root of the first `size` leaves, from stored tiles. Raises NotFoundError."""
        with self._db.read():
            newest, _ = self.checkpoint_note()
            return TileTree(newest, self.tile).root_at(size)

    def tallies(self) -> dict[tuple[str, str], int]:
        """Leaves by kind and tenant (empty for the log's own leaves)."""
        return {(str(kind), str(tenant)): int(n) for kind, tenant, n in self._db.query("SELECT kind, tenant, leaves FROM tally")}

    def records(self) -> int:
        """Records in the log, whatever the tenant."""
        return sum(n for (kind, _), n in self.tallies().items() if kind == Kind.RECORD)

    def _meta(self) -> dict[str, str]:
        if not self._db.has_table("meta"):
            raise NotFoundError("the database holds no log")
        return dict(self._db.query("SELECT name, value FROM meta"))

    def _inclusion(self, leaf: Leaf, size: int) -> InclusionProof:
        size, note = self._checkpoint(size)
        tree = TileTree(size, self.tile)
        hashes = tree.inclusion(leaf.index, size)
        verify_inclusion(leaf=leaf.leaf_hash, index=leaf.index, size=size, proof=hashes, root=tree.root_at(size))
        return InclusionProof(leaf, size, tuple(hashes), note)

    def _checkpoint(self, size: int) -> tuple[int, str]:
        if size == 0:
            return self.checkpoint_note()
        rows = self._db.query("SELECT note FROM checkpoint WHERE size = ?", (size,)) if 0 < size < MAX_SIZE else []
        if not rows:
            raise NotFoundError(f"no checkpoint of size {size} was signed")
        return size, str(rows[0][0])

    def _one(self, where: str, parameters: tuple[object, ...], missing: str) -> Leaf:
        rows = self._db.query(f"SELECT {_LEAF} FROM leaf WHERE {where}", parameters)  # noqa: S608 - `where` is a literal of this class
        if not rows:
            raise NotFoundError(missing)
        return _leaf(rows[0])


def _leaf(row: Row) -> Leaf:
    index, kind, body, leaf_hash, event_id, request_id, decision_id, tenant, received_ms = row
    if kind not in set(Kind):
        raise NewerFormatError(f"leaf {index} is of a kind that this program does not know")
    return Leaf(
        index=int(index),
        kind=Kind(kind),
        body=bytes(body),
        leaf_hash=bytes(leaf_hash),
        event_id=event_id or "",
        request_id=request_id or "",
        decision_id=decision_id or "",
        tenant=tenant or "",
        received_ms=int(received_ms),
    )
