"""The ledger in a file of this host: write-ahead log, synchronous=FULL; several processes share it, writers wait for each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from meshkit.errors import DataCorrupted, MeshError, Unavailable

from rag.adapters.ledger.database import Row, Types

_BUSY_S = 10.0
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WAITS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
}


class SqliteConnection:
    """A connection to the file, which is made when it is not there."""

    types = Types(integer="INTEGER", blob="BLOB", identity="INTEGER PRIMARY KEY AUTOINCREMENT", text="TEXT")

    def __init__(self, path: Path) -> None:
        with _failing():
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise Unavailable("the ledger's folder cannot be made", reason="LEDGER_UNAVAILABLE") from error
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY"):
                self._connection.execute(f"PRAGMA {pragma}")

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction, on the disk when the block ends."""
        with _failing():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with _failing():
                self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def read(self) -> Iterator[None]:
        """One snapshot, beside a writer too."""
        with _failing():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Return how many rows changed."""
        with _failing():
            return self._connection.execute(sql, parameters).rowcount

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run the statement once for each row."""
        with _failing():
            self._connection.executemany(sql, rows)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return every row."""
        with _failing():
            return self._connection.execute(sql, parameters).fetchall()

    def has_table(self, name: str) -> bool:
        """Whether the schema holds a table of this name."""
        return bool(self.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))

    def scrub(self) -> bool:
        """VACUUM, then empty the write-ahead log: old pages stand in both. A reader that holds a snapshot keeps the log."""
        with _failing():
            self._connection.execute("VACUUM")
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def interrupt(self) -> None:
        """End the statement that runs."""
        with suppress(sqlite3.Error):
            self._connection.interrupt()

    def close(self) -> None:
        """Close; safe to call twice."""
        with suppress(sqlite3.Error):
            self._connection.close()


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        translated = _translated(error)
        if translated is None:
            raise
        raise translated from error


def _translated(error: sqlite3.Error) -> MeshError | None:
    """Return what a failure of the store is to callers; None for a fault of ours, a broken constraint for instance."""
    primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if primary in _DAMAGED:
        return DataCorrupted("the ledger's file is damaged", reason="LEDGER_DAMAGED")
    if primary == sqlite3.SQLITE_FULL:
        return Unavailable("the ledger's disk is full", reason="DISK_FULL")
    if primary in _WAITS:
        return Unavailable("the ledger's file does not answer", reason="LEDGER_UNAVAILABLE")
    return None
