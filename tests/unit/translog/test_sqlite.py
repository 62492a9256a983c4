"""The SQLite adapter: settings that durability rests on, snapshots, read-only readers, and how failures are told apart."""

import sqlite3
import subprocess
import sys
import textwrap

import pytest
from translog.errors import NotFoundError, StoreBusyError, StoreFailedError, TamperedError
from translog.sqlite import SqliteDatabase


@pytest.fixture
def writer(path):
    database = SqliteDatabase.open_writer(path)
    with database.write():
        database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y BLOB) STRICT")
    yield database
    database.close()


def test_durability_settings(writer) -> None:
    assert writer.query("PRAGMA journal_mode") == [("wal",)]
    assert writer.query("PRAGMA synchronous") == [(2,)]
    assert writer.query("PRAGMA foreign_keys") == [(1,)]


def test_a_transaction_is_all_or_nothing(writer) -> None:
    with pytest.raises(KeyError), writer.write():
        writer.execute("INSERT INTO t VALUES (1, X'00')")
        raise KeyError
    assert writer.query("SELECT * FROM t") == []


def test_a_reader_sees_one_snapshot_and_cannot_write(writer, path) -> None:
    reader = SqliteDatabase.open_reader(path)
    with reader.read():
        assert reader.query("SELECT COUNT(*) FROM t") == [(0,)]
        with writer.write():
            writer.execute("INSERT INTO t VALUES (1, X'00')")
        assert reader.query("SELECT COUNT(*) FROM t") == [(0,)]
    assert reader.query("SELECT COUNT(*) FROM t") == [(1,)]
    with pytest.raises(StoreFailedError):
        reader.execute("DELETE FROM t")
    reader.close()


def test_the_lock_ends_with_close_and_close_may_come_twice(writer, path) -> None:
    with pytest.raises(StoreBusyError):
        SqliteDatabase.open_writer(path)
    writer.close()
    writer.close()
    SqliteDatabase.open_writer(path).close()


def test_a_failed_open_lets_the_lock_go(path) -> None:
    path.write_bytes(b"this is no database, and longer than a header of one hundred bytes would be" * 20)
    for _ in range(2):
        with pytest.raises(TamperedError):
            SqliteDatabase.open_writer(path)


def test_no_file_no_reader(path) -> None:
    with pytest.raises(NotFoundError):
        SqliteDatabase.open_reader(path)


def test_types_are_enforced(writer) -> None:
    with pytest.raises(StoreFailedError), writer.write():
        writer.execute("INSERT INTO t VALUES ('text', 'text')")


def test_text_that_is_not_utf_8_is_tampering(writer, path) -> None:
    with writer.write():
        writer.execute("CREATE TABLE s (x TEXT)")
        writer.execute("INSERT INTO s VALUES (CAST(X'ff' AS TEXT))")
    with pytest.raises(TamperedError):
        writer.query("SELECT x FROM s")


FULL = """
    import resource, signal, sys, pathlib
    from translog.errors import StoreFailedError
    from translog.sqlite import SqliteDatabase
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    database = SqliteDatabase.open_writer(pathlib.Path(sys.argv[1]))
    with database.write():
        database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y BLOB) STRICT")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        for n in range(100):
            with database.write():
                database.execute("INSERT INTO t VALUES (?, zeroblob(10000))", (n,))
            done = n
    except StoreFailedError as error:
        print(done, error.disk)
"""


def test_a_disk_that_takes_no_more_is_told_apart(path) -> None:
    """A file size limit makes the writes of the kernel fail, as a full disk does."""
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(FULL), str(path)], capture_output=True, text=True, check=True)
    done, disk = run.stdout.split()
    assert disk == "True"
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT COUNT(*), MAX(x) FROM t").fetchall() == [(int(done) + 1, int(done))]
    connection.close()
