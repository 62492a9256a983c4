"""The embedded store: SQLite in WAL mode with synchronous=FULL, one writer.

The writer holds an exclusive `flock` on a side file: SQLite would let two processes take turns, and both would believe in their right
edge. The lock is on a side file because closing any descriptor of the database itself would drop SQLite's own POSIX locks.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from translog.database import Row, Types
from translog.errors import NotFoundError, StoreBusyError, StoreFailedError, TamperedError, TranslogError

_CACHE_KIB = 65_536  # ids are random: every batch touches pages all over the indexes
_CHECKPOINT_PAGES = 8_192  # 32 MiB of write-ahead log, so that a hot page is copied into the database once for many commits
_DISK = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class SqliteDatabase:
    """A connection to one file. May move between threads, but serves one at a time."""

    types = Types(integer="INTEGER", blob="BLOB", strict=" STRICT")

    def __init__(self, connection: sqlite3.Connection, lock: int | None) -> None:
        self._connection = connection
        self._lock = lock

    @classmethod
    def open_writer(cls, path: Path) -> "SqliteDatabase":
        """Create or open for writing. Raises StoreBusyError when another writer is there, StoreFailedError."""
        lock = _exclusive_lock(path.with_name(path.name + ".lock"))
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        except sqlite3.Error as error:
            os.close(lock)
            raise _translated(error) from error
        return cls(connection, lock)

    @classmethod
    def open_reader(cls, path: Path) -> "SqliteDatabase":
        """Open read-only, beside a writer or without one. Raises NotFoundError, StoreFailedError."""
        if not path.is_file():
            raise NotFoundError(f"no store at {path}")
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5.0
            )
            connection.execute("PRAGMA query_only=ON")
        except sqlite3.Error as error:
            raise _translated(error) from error
        return cls(connection, None)

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction, fsynced when the block ends (synchronous=FULL). Raises StoreFailedError, TamperedError for damaged pages."""
        with self._failing():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._failing():
                self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def read(self) -> Iterator[None]:
        """One snapshot, beside a writer too (WAL). Raises as `write`."""
        with self._failing():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Rows changed. Raises as `write`."""
        with self._failing():
            return self._connection.execute(sql, parameters).rowcount

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """The statement once for each row; `rows` is read while it runs. Raises as `write`."""
        with self._failing():
            self._connection.executemany(sql, rows)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Every row of the answer at once. Raises as `write`."""
        with self._failing():
            return self._connection.execute(sql, parameters).fetchall()

    def has_table(self, name: str) -> bool:
        """Whether the schema holds a table (no view) of this name."""
        return bool(self.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))

    def integrity(self) -> list[str]:
        """PRAGMA integrity_check, its first 100 findings; reads the whole file."""
        found = [str(row[0]) for row in self.query("PRAGMA integrity_check(100)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close and let the lock go; safe to call twice."""
        with suppress(sqlite3.Error):
            self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _translated(error) from error


def _exclusive_lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreBusyError(f"another writer holds {path}") from error
    return descriptor


def _translated(error: sqlite3.Error) -> TranslogError:
    """Damage is tampering until shown otherwise; text that is not UTF-8 comes from the Python binding without a code."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = (code or 0) & 0xFF
    if primary in _DAMAGED or (code is None and "decode" in str(error)):
        return TamperedError(f"SQLite: {error}")
    return StoreFailedError(f"SQLite: {error}", disk=primary in _DISK)
