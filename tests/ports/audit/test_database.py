"""One suite for the log's database port, run on SQLite and on PostgreSQL: the same log comes out of both."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from audit.adapters.store import Store, store_at
from localmesh.places import Places
from translog.entries import Batch, Gap, Keys, NextOffset, Poison, ProducerPosition, Record, Source
from translog.errors import NotFoundError, StoreBusyError, StoreFailedError, StoreFencedError
from translog.fsck import fsck
from translog.log import Log
from translog.note import Signer
from translog.reader import LogReader

from tests.ports.audit.postgres import PrivatePostgres, fetch

SIGNER = Signer("audit.finmesh.test/log", bytes(32))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    server = PrivatePostgres(fetch(Places.default().stack))
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return store_at(f"sqlite:///{tmp_path / 'audit.db'}")
    return store_at(request.getfixturevalue("postgres").url())


@pytest.fixture
def opened(store: Store) -> Iterator[Callable[[], tuple]]:
    """Opens a writer's database and log; all are closed at the end."""
    databases = []

    def make() -> tuple:
        database = store.open_writer()
        databases.append(database)
        return database, Log.open(database, signer=SIGNER, seal=lambda c: c[::-1], now_ms=1)

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
    assert note == fill(Log.open(database, signer=SIGNER, seal=lambda c: c[::-1], now_ms=1))
    database.close()
    reader_database = store.open_reader()
    reader = LogReader(reader_database)
    assert reader.offsets() == [NextOffset("t", 0, "id", 601)]
    assert reader.producers() == [ProducerPosition("p", 1, 600)]
    assert [leaf.index for leaf in reader.find(request_id="r-5", tenant="农商银行")] == [5]
    assert reader.record("a-7").body == "记录 7".encode()
    assert len(reader.inclusion("a-299", 300).hashes) == 5
    assert reader.consistency(3, 600).new_size == 600
    report = fsck(reader_database, [SIGNER.verifier])
    assert (report.findings, report.size, report.checkpoints) == ([], 603, 5)
    reader_database.close()


def test_records_of_a_request_and_of_a_decision(opened) -> None:
    """A request that bears its decision's id stands in one index alone, and is found all the same: in order, page by page."""
    database, log = opened()
    ids = [("d-1", "d-1"), ("d-2", "d-1"), ("", "d-1"), ("d-1", ""), ("d-1", "d-2"), ("d-2", "d-2"), ("d-1", "d-1")]
    records = [Record(b"%d" % n, Keys(f"a-{n}", request, decision, "x")) for n, (request, decision) in enumerate(ids)]
    log.append(Batch((*records, Record(b"y", Keys("a-y", "d-1", "d-1", "y"))), 7))

    def found(**asked: Any) -> list[int]:
        return [leaf.index for leaf in log.reader.find(tenant="x", **asked)]

    assert found(request_id="d-1") == [0, 3, 4, 6]
    assert found(request_id="d-1", after=0, limit=2) == [3, 4]
    assert found(request_id="d-2") == [1, 5]
    assert found(decision_id="d-1") == [0, 1, 2, 6]
    assert found(decision_id="d-2") == [4, 5]
    assert [leaf.index for leaf in log.reader.find(request_id="d-1", tenant="y")] == [7]
    database.close()


def test_reopening(opened) -> None:
    database, log = opened()
    log.append(batch(0, 10))
    database.close()
    _, log = opened()
    assert (log.size, log.offsets()) == (10, [NextOffset("t", 0, "id", 10)])
    log.append(batch(5, 20))
    assert log.size == 20


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
    database.close()
    assert opened()[1].size == 1


def test_a_failed_batch_leaves_nothing(opened) -> None:
    """The seal of the last entry fails, after everything before it was planned and written."""
    database, log = opened()
    log.append(batch(0, 1))
    log._seal = lambda content: 1 // 0
    with pytest.raises(ZeroDivisionError):
        log.append(Batch((*batch(1, 50).entries, Poison(b"junk", "NOT_A_BATCH")), 7, (NextOffset("t", 0, "id", 50),)))
    assert log.spent
    for table in ("leaf", "tile", "source"):
        assert database.query(f"SELECT COUNT(*) FROM {table}") == [(1,)]
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
        assert reader.query("SELECT COUNT(*) FROM leaf") == [(0,)]
        log.append(batch(0, 5))
        assert reader.query("SELECT COUNT(*) FROM leaf") == [(0,)]
    assert reader.query("SELECT COUNT(*) FROM leaf") == [(5,)]
    with pytest.raises(StoreFailedError):
        reader.execute("DELETE FROM leaf")
    reader.close()


def test_no_log_yet(store: Store) -> None:
    database = store.open_writer()
    reader = store.open_reader() if database.has_table("meta") else database
    with pytest.raises(NotFoundError):
        LogReader(reader).require()
    database.close()


@pytest.mark.stack
def test_a_postgresql_that_crashed(postgres: PrivatePostgres) -> None:
    """The connection is gone, and with it the lock; what was committed is there."""
    store = store_at(postgres.url())
    database = store.open_writer()
    log = Log.open(database, signer=SIGNER, seal=bytes, now_ms=1)
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
    assert Log.open(again, signer=SIGNER, seal=bytes, now_ms=1).size == 10
    again.close()
    database.close()


def test_urls() -> None:
    for url in ("", "sqlite:///", "mysql://secret@host/db", "file.db"):
        with pytest.raises(ValueError, match="starts with") as caught:
            store_at(url)
        assert "secret" not in str(caught.value)
