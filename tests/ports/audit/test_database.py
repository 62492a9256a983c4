"""One suite for the log's database port, run on SQLite and on PostgreSQL: the same log comes out of both."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh_cli.__main__ import app
from localmesh.places import Places
from translog.database import Database
from translog.entries import Batch, Commitment, Gap, Keys, NextOffset, Poison, ProducerPosition, Record, Source
from translog.errors import NotFoundError, StoreBusyError, StoreFailedError, StoreFencedError, TamperedError
from translog.fsck import fsck
from translog.log import Log
from translog.note import Signer
from translog.positions import ProducerRow, SourceRow
from translog.reader import LogReader
from translog.stores import Store, store_at
from typer.testing import CliRunner

from tests.contract.repository import ROOT
from tests.ports.audit.postgres import PrivatePostgres, fetch

SIGNER = Signer("audit.finmesh.test/log", bytes(32))
SIGNER_1 = Signer("audit.finmesh.test/log", bytes(range(32)))
OLD = ROOT / "tests/unit/translog/stores/schema-1.db"


def open_log(database: Database, signer: Signer = SIGNER) -> Log:
    return Log.open(database, signer=signer, seal=lambda c: c[::-1], commit=lambda c: [Commitment("k", c[:32])], now_ms=1)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    server = PrivatePostgres(fetch(Places.default().stack))
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.stack)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'audit.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres").url()


@pytest.fixture
def store(url: str) -> Store:
    return store_at(url)


@pytest.fixture
def opened(store: Store) -> Iterator[Callable[[], tuple]]:
    """Opens a writer's database and log; all are closed at the end."""
    databases = []

    def make() -> tuple:
        database = store.open_writer()
        databases.append(database)
        return database, open_log(database)

    yield make
    for database in databases:
        database.close()


def batch(start: int, end: int) -> Batch:
    rows = [Record(f"记录 {n}".encode(), Keys(f"a-{n}", f"r-{n}", "", "农商银行"), Source("t", 0, "id", n)) for n in range(start, end)]
    return Batch(tuple(rows), 7, (NextOffset("t", 0, "id", end),), (ProducerPosition("p", 1, end),))


def fill(log: Log) -> str:
    """600 records, some of them twice, a conflict twice, poison and a gap; returns the checkpoint."""
    for start, end in [(0, 3), (3, 300), (200, 600)]:
        log.append(batch(start, end))
    conflict = Record(b"other", Keys("a-7", tenant="x"), Source("t", 0, "id", 600))
    rest = (conflict, conflict, Poison(b"\x00junk", "NOT_A_BATCH"), Gap("G", {"n": 1}))
    return log.append(Batch(rest, 8, (NextOffset("t", 0, "id", 601),))).note


def test_the_same_log_comes_out(opened, store: Store, tmp_path: Path) -> None:
    """Ed25519 and the tree are deterministic: every database ends in the very same checkpoint."""
    note = fill(opened()[1])
    database = store_at(f"sqlite:///{tmp_path / 'reference.db'}").open_writer()
    assert note == fill(open_log(database))
    database.close()
    reader_database = store.open_reader()
    reader = LogReader(reader_database)
    assert reader.rows() == [SourceRow(1, "t", 0, "id", 601), ProducerRow("p", 1, 600)]
    assert [leaf.index for leaf in reader.find(request_id="r-5", tenant="农商银行")] == [7]
    assert reader.record("a-7").body == "记录 7".encode()
    assert len(reader.inclusion("a-299", 303).hashes) == 6
    assert reader.consistency(5, 604).new_size == 604
    report = fsck(reader_database, [SIGNER.verifier])
    assert (report.findings, report.size, report.checkpoints) == ([], 608, 6)
    reader_database.close()


def test_records_of_a_request_and_of_a_decision(opened) -> None:
    """A request that bears its decision's id stands in one index alone, and is found all the same: in order, page by page."""
    database, log = opened()
    ids = [("d-1", "d-1"), ("d-2", "d-1"), ("", "d-1"), ("d-1", ""), ("d-1", "d-2"), ("d-2", "d-2"), ("d-1", "d-1")]
    records = [Record(b"%d" % n, Keys(f"a-{n}", request, decision, "x")) for n, (request, decision) in enumerate(ids)]
    log.append(Batch((*records, Record(b"y", Keys("a-y", "d-1", "d-1", "y"))), 7))

    def found(**asked: Any) -> list[int]:
        return [leaf.index for leaf in log.reader.find(tenant="x", **asked)]

    assert found(request_id="d-1") == [1, 4, 5, 7]
    assert found(request_id="d-1", after=1, limit=2) == [4, 5]
    assert found(request_id="d-2") == [2, 6]
    assert found(decision_id="d-1") == [1, 2, 3, 7]
    assert found(decision_id="d-2") == [5, 6]
    assert [leaf.index for leaf in log.reader.find(request_id="d-1", tenant="y")] == [8]
    database.close()


def test_reopening(opened) -> None:
    database, log = opened()
    log.append(batch(0, 10))
    database.close()
    _, log = opened()
    assert (log.size, log.offsets()) == (13, [NextOffset("t", 0, "id", 10)])
    log.append(batch(5, 20))
    assert log.reader.records() == 20


def test_one_writer(opened, store: Store) -> None:
    database, _ = opened()
    with pytest.raises(StoreBusyError):
        store.open_writer()
    database.close()
    opened()


def test_a_writer_that_was_overtaken_commits_nothing(opened) -> None:
    database, log = opened()
    log.append(batch(0, 1))
    with database.write():
        database.execute("UPDATE writer SET epoch = epoch + 1")
    with pytest.raises(StoreFencedError):
        log.append(batch(1, 2))
    with database.write():
        database.execute("UPDATE writer SET epoch = epoch - 1")
    database.close()
    assert opened()[1].reader.records() == 1


def test_a_failed_batch_leaves_nothing(opened) -> None:
    """The seal of the last entry fails, after everything before it was planned and written."""
    database, log = opened()
    log.append(batch(0, 1))
    log._seal = lambda content: 1 // 0
    with pytest.raises(ZeroDivisionError):
        log.append(Batch((*batch(1, 50).entries, Poison(b"junk", "NOT_A_BATCH")), 7, (NextOffset("t", 0, "id", 50),)))
    assert log.spent
    counts = {table: database.query(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("leaf", "tile", "source", "quarantine")}
    assert counts == {"leaf": 3, "tile": 1, "source": 1, "quarantine": 0}
    assert database.query("SELECT next_offset FROM source") == [(1,)]
    with pytest.raises(KeyError), database.write():
        database.execute("DELETE FROM tile")
        raise KeyError
    assert database.query("SELECT COUNT(*) FROM tile") == [(1,)]


def test_statements_that_cannot_be_are_store_failures(opened) -> None:
    database, _ = opened()
    with pytest.raises(StoreFailedError), database.write():
        database.execute("INSERT INTO writer (id, epoch) VALUES (1, 0)")
    with pytest.raises(StoreFailedError):
        database.query("SELECT nothing FROM nowhere")
    assert database.query("SELECT COUNT(*) FROM writer") == [(1,)]


def test_readers_see_one_snapshot_and_never_write(opened, store: Store) -> None:
    _, log = opened()
    reader = store.open_reader()
    with reader.read():
        assert reader.query("SELECT COUNT(*) FROM leaf") == [(1,)]
        log.append(batch(0, 5))
        assert reader.query("SELECT COUNT(*) FROM leaf") == [(1,)]
    assert reader.query("SELECT COUNT(*) FROM leaf") == [(7,)]
    with pytest.raises(StoreFailedError):
        reader.execute("DELETE FROM leaf")
    reader.close()


def test_no_log_yet(store: Store) -> None:
    database = store.open_writer()
    reader = store.open_reader() if database.has_table("meta") else database
    with pytest.raises(NotFoundError):
        LogReader(reader).require()
    database.close()


MOVES = {
    "UPDATE source SET next_offset = next_offset + 1000": "rows",
    "UPDATE source SET topic_id = 'other'": "rows",
    "UPDATE producer SET last_sequence = last_sequence - 1": "rows",
    "DELETE FROM producer": "rows",
    "UPDATE writer SET epoch = epoch + 1": "writer",
    "UPDATE checkpoint SET created_ms = created_ms + 1 WHERE size = 5": "checkpoint-time",
    "UPDATE leaf SET received_ms = received_ms + 1 WHERE leaf_index = 2": "position",
    "UPDATE leaf SET source_offset = source_offset + 1 WHERE leaf_index = 2": "position",
}


@pytest.mark.parametrize("sql", MOVES)
def test_what_stands_beside_the_tree_is_committed_to(sql: str, opened, store: Store) -> None:
    database, log = opened()
    log.append(batch(0, 3))
    with database.write():
        assert database.execute(sql) == 1
    report = fsck(database, [SIGNER.verifier])
    assert {finding.check for finding in report.findings} == {MOVES[sql]}
    database.close()
    if MOVES[sql] in {"rows", "writer"}:
        with pytest.raises(TamperedError):
            opened()


@pytest.fixture
def old(store: Store) -> Store:
    """The committed store of schema 1, its tables and rows carried over."""
    with closing(sqlite3.connect(f"{OLD.as_uri()}?mode=ro&immutable=1", uri=True)) as source, closing(store.open_writer()) as database:
        types = {"INTEGER": database.types.integer, "BLOB": database.types.blob, " STRICT": database.types.strict}
        with database.write():
            for name, kind, sql in source.execute(
                "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
            ).fetchall():
                for sqlite_type, own in types.items():
                    sql = sql.replace(sqlite_type, own)
                database.execute(sql)
                rows = source.execute(f"SELECT * FROM {name}").fetchall() if kind == "table" else []
                if rows:
                    database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return store


def test_a_store_of_schema_1_is_migrated_under_a_reader(old: Store, opened) -> None:
    reader = old.open_reader()
    for _ in range(10):  # often enough for a prepared statement
        assert LogReader(reader).record("a-7").tenant == "bank-a"
    assert fsck(reader, [SIGNER_1.verifier]).findings == []
    with closing(old.open_writer()) as database:
        log = open_log(database, SIGNER_1)
        assert (log.size, log.reader.schema()) == (275, 2)
        log.append(Batch((Record(b"new", Keys("new")),), 9))
        assert LogReader(reader).record("a-7").tenant == "bank-a"
        assert fsck(reader, [SIGNER_1.verifier]).findings == []
    reader.close()


@pytest.mark.parametrize("step", [0, 4, 8, 10, 12, 16, 18])
def test_a_migration_that_dies(old: Store, step: int) -> None:
    """The connection is gone before a statement of that number: old or new, never between."""

    class Dying(Exception):
        pass

    database, left = old.open_writer(), step
    execute = database.execute

    def dying(sql: str, parameters: Sequence[object] = ()) -> int:
        nonlocal left
        if left == 0:
            database.close()
            raise Dying
        left -= 1
        return execute(sql, parameters)

    database.execute = dying  # type: ignore[method-assign]
    with pytest.raises((Dying, StoreFailedError)):
        open_log(database, SIGNER_1)
    with closing(old.open_reader()) as reader:
        assert LogReader(reader).schema() == 1
        assert fsck(reader, [SIGNER_1.verifier]).findings == []
    with closing(old.open_writer()) as again:
        assert open_log(again, SIGNER_1).size == 275
        assert fsck(again, [SIGNER_1.verifier]).findings == []


def test_the_command_checks_either(opened, store: Store, url: str) -> None:
    database, log = opened()
    log.append(Batch((Record(AuditRecord(audit_record_id="a").SerializeToString(), Keys("a")),), 7))
    arguments = ["audit", "fsck", url, "--log-key", str(SIGNER.verifier)]
    sound = CliRunner().invoke(app, arguments)
    assert (sound.exit_code, "3 leaves" in sound.output) == (0, True), sound.output
    with database.write():
        database.execute("UPDATE writer SET epoch = 7")
    assert CliRunner().invoke(app, arguments).exit_code == 1


@pytest.mark.stack
def test_a_postgresql_that_crashed(postgres: PrivatePostgres) -> None:
    """The connection is gone, and with it the lock; what was committed is there."""
    store = store_at(postgres.url())
    database = store.open_writer()
    log = open_log(database)
    log.append(batch(0, 10))
    postgres.kill()
    with pytest.raises(StoreFailedError) as caught:
        log.append(batch(10, 20))
    assert not caught.value.disk
    assert "password" not in str(caught.value)
    with pytest.raises(StoreFailedError):
        store.open_writer()
    postgres.start()
    again = store.open_writer()
    assert open_log(again).reader.records() == 10
    again.close()
    database.close()


def test_urls() -> None:
    for url in ("", "sqlite:///", "mysql://secret@host/db", "file.db"):
        with pytest.raises(ValueError, match="starts with") as caught:
            store_at(url)
        assert "secret" not in str(caught.value)
