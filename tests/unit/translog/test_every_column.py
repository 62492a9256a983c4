"""Whoever changes any column of any table by SQL is found, by fsck or by the writer's next start.

Tables and columns are read from the schema: a column that is added later stands here by itself.
"""

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from translog.entries import Batch, Gap, NextOffset, Poison, ProducerPosition, Source
from translog.errors import ExitCode, TranslogError
from translog.fsck import fsck
from translog.log import create
from translog.note import Signer
from translog.sqlite import SqliteDatabase

from tests.unit.translog.conftest import NOW_MS, TOPIC

BOTH = {"source", "producer", "writer", "meta"}  # what consumption goes on from: start-up must find it too


def schema() -> Iterator[tuple[str, str]]:
    """Every table and column that the program of today makes."""
    database = SqliteDatabase(sqlite3.connect(":memory:", isolation_level=None), None)
    with closing(database):
        create(database, Signer("any", bytes(32)), 1)
        for (table,) in database.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
            yield from ((table, column) for _, column, *_ in database.query(f"PRAGMA table_info({table})"))


COLUMNS = list(schema())
TABLES = sorted({table for table, _ in COLUMNS})


@pytest.fixture
def store(open_log, batch_of, record, path) -> Path:
    """Two batches of records, every other kind of leaf, two partitions, two producers, two starts."""
    log = open_log()
    log.append(batch_of(*range(300)))
    source = Source(TOPIC, 1, "topic-id", 3)
    entries = (record(5, body="其他字节".encode()), Poison(b"13800138000", "NOT_A_BATCH", source), Gap("G", {"n": 1}, source))
    producers = (ProducerPosition("p/0", 1, 9), ProducerPosition("p/1", 2, 8))
    more = batch_of(*range(300, 320))
    log.append(Batch((*more.entries, *entries), NOW_MS + 5, (*more.offsets, NextOffset(TOPIC, 1, "topic-id", 4)), producers))
    open_log.close()
    open_log()
    open_log.close()
    return path


def changed(value: object) -> list[object]:
    """Other values of a column, as near to the old one as can be."""
    match value:
        case int():
            others: list[object] = [value + 1, value - 1, value + 1_000]
        case str():
            others = [value + "x", value[:-1] + "z", ""]
        case bytes():
            others = [value[:-1] + bytes([value[-1] ^ 1]), value + b"x"]
        case _:
            others = ["x", 1]
    return [other for other in (*others, None) if other != value]


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        yield connection
    assert not path.with_name(path.name + "-wal").exists(), "somebody holds the store open: a copy would lack what is in the log"


def rows_of(path: Path, table: str) -> list[int]:
    """First, middle and last row, and one of every kind of leaf."""
    with opened(path) as connection:
        ids = [row[0] for row in connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
        chosen = {ids[0], ids[len(ids) // 2], ids[-1]}
        if table == "leaf":
            chosen |= {row[0] for row in connection.execute("SELECT MIN(rowid) FROM leaf GROUP BY kind")}
    return sorted(chosen)


@pytest.fixture
def attacked(store) -> Iterator[Path]:
    """A fresh copy for each attack."""

    def copies() -> Iterator[Path]:
        for n in itertools.count():
            copy = Path(shutil.copy(store, store.with_name(f"{n}.db")))
            yield copy
            copy.unlink()

    return copies()


def found_by_fsck(path: Path, verifiers, keys_of) -> bool:
    database = SqliteDatabase.open_reader(path)
    try:
        return fsck(database, verifiers, keys_of=keys_of).exit_code == ExitCode.TAMPER
    except TranslogError:
        return True
    finally:
        database.close()


def found_at_start(path: Path, open_log) -> bool:
    try:
        open_log(path)
    except TranslogError:
        return True
    finally:
        open_log.close()
    return False


@pytest.fixture
def check(verifiers, keys_of, open_log) -> Callable[[str, Path, object], None]:
    def found(table: str, path: Path, what: object) -> None:
        by_fsck = found_by_fsck(path, verifiers, keys_of)
        at_start = found_at_start(path, open_log)
        assert by_fsck or at_start, what
        assert (by_fsck and at_start) or table not in BOTH, what

    return found


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_value(table, column, store, attacked, check) -> None:
    tried = 0
    for row in rows_of(store, table):
        with opened(store) as connection:
            ((value,),) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchall()
        for other, copy in zip(changed(value), attacked, strict=False):
            done = 0
            with opened(copy) as connection, suppress(sqlite3.IntegrityError):  # another row has this key, or the type does not fit
                done = connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (other, row)).rowcount
            if done:
                check(table, copy, (row, value, other))
            tried += done
    assert tried


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row(table, store, attacked, check) -> None:
    for row, copy in zip(rows_of(store, table), attacked, strict=False):
        with opened(copy) as connection:
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
        check(table, copy, row)


@pytest.mark.parametrize("table", TABLES)
def test_an_added_row(table, attacked, check) -> None:
    copy = next(attacked)
    with opened(copy) as connection:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        row = dict(zip([c[1] for c in columns], connection.execute(f"SELECT * FROM {table} ORDER BY rowid DESC").fetchone(), strict=True))
        keys = [name for _, name, _, _, _, key in columns if key]
        row |= {name: changed(row[name])[0] for name in keys} | ({"topic_id": "other"} if table == "source" else {})
        connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    check(table, copy, row)


def test_nothing_changed(store, verifiers, keys_of, open_log) -> None:
    for _ in range(2):
        assert not found_by_fsck(store, verifiers, keys_of)
        assert not found_at_start(store, open_log)
