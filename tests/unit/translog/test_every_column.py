"""Whoever changes any column of any table by SQL is found, by fsck or by the writer's next start.

Tables and columns are read from the schema: a column that is added later stands here by itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
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
            return [value + 1, value - 1, value + 1_000]
        case str():
            return [value + "x", value[:-1] + "y", ""]
        case bytes():
            return [value[:-1] + bytes([value[-1] ^ 1]), value + b"x"]
        case _:
            return ["x", 1]


def rows_of(connection: sqlite3.Connection, table: str) -> list[int]:
    """First, middle and last row, and one of every kind of leaf."""
    ids = [row[0] for row in connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
    chosen = {ids[0], ids[len(ids) // 2], ids[-1]}
    if table == "leaf":
        chosen |= {row[0] for row in connection.execute("SELECT MIN(rowid) FROM leaf GROUP BY kind")}
    return sorted(chosen)


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    return connection


def found_by_fsck(path: Path, verifiers, keys_of) -> bool:
    database = SqliteDatabase.open_reader(path)
    try:
        return fsck(database, verifiers, keys_of=keys_of).exit_code == ExitCode.TAMPER
    except TranslogError:
        return True
    finally:
        database.close()


def found_at_start(open_log) -> bool:
    try:
        open_log()
    except TranslogError:
        return True
    finally:
        open_log.close()
    return False


def check(table: str, path: Path, verifiers, keys_of, open_log, what: object) -> None:
    by_fsck = found_by_fsck(path, verifiers, keys_of)
    assert by_fsck or table not in BOTH, what
    before = path.read_bytes()  # an unfound change must not be healed by the start that follows
    at_start = found_at_start(open_log)
    path.write_bytes(before)
    assert at_start or table not in BOTH, what
    assert by_fsck or at_start, what


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_value(table, column, store, verifiers, keys_of, open_log) -> None:
    tried = 0
    for row in rows_of(opened(store), table):
        with closing(opened(store)) as connection:
            ((value,),) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchall()
        for other in changed(value):
            sound = store.read_bytes()
            with closing(opened(store)) as connection:
                try:
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (other, row))
                except sqlite3.IntegrityError:
                    continue  # another row has this key, or the type does not fit
            check(table, store, verifiers, keys_of, open_log, (row, value, other))
            tried += 1
            store.write_bytes(sound)
    assert tried


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row(table, store, verifiers, keys_of, open_log) -> None:
    for row in rows_of(opened(store), table):
        sound = store.read_bytes()
        with closing(opened(store)) as connection:
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
        check(table, store, verifiers, keys_of, open_log, row)
        store.write_bytes(sound)


@pytest.mark.parametrize("table", TABLES)
def test_an_added_row(table, store, verifiers, keys_of, open_log) -> None:
    with closing(opened(store)) as connection:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        row = dict(zip([c[1] for c in columns], connection.execute(f"SELECT * FROM {table} ORDER BY rowid DESC").fetchone(), strict=True))
        keys = [name for _, name, _, _, _, key in columns if key]
        row |= {name: changed(row[name])[0] for name in keys} | ({"topic_id": "other"} if table == "source" else {})
        connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    check(table, store, verifiers, keys_of, open_log, row)


def test_nothing_changed(store, verifiers, keys_of, open_log) -> None:
    assert not found_by_fsck(store, verifiers, keys_of)
    assert not found_at_start(open_log)
    assert not found_by_fsck(store, verifiers, keys_of)
