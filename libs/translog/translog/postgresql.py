"""The log's store in PostgreSQL (the extra `postgresql`): the same schema, one writer by advisory lock and fencing epoch.

The advisory lock belongs to the connection: a writer whose connection broke has lost it, and the epoch row refuses what it still tries
to commit.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from translog.database import Row, Types
from translog.errors import StoreBusyError, StoreFailedError

_LOCK = 0x66696E6D65736800  # "finmesh\0": one log a database
_CONNECT_TIMEOUT_S = 5


class PostgresDatabase:
    """One connection. May move between threads, but serves one at a time."""

    types = Types(integer="BIGINT", blob="BYTEA")

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    def open_writer(cls, url: str) -> "PostgresDatabase":
        """Connect and take the lock. Raises StoreBusyError when another writer holds it, StoreFailedError."""
        database = cls(_connected(url))
        try:
            database.execute("SET synchronous_commit TO on")
            held = database.query("SELECT pg_try_advisory_lock(?)", (_LOCK,))[0][0]
        except BaseException:
            database.close()
            raise
        if not held:
            database.close()
            raise StoreBusyError("another writer holds the log's lock")
        return database

    @classmethod
    def open_reader(cls, url: str) -> "PostgresDatabase":
        """Connect for reading. Raises StoreFailedError."""
        database = cls(_connected(url))
        try:
            database.execute("SET default_transaction_read_only TO on")
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction, on the server's disk when the block ends (synchronous_commit). Raises StoreFailedError."""
        with _failing(), self._connection.transaction():
            yield

    @contextmanager
    def read(self) -> Iterator[None]:
        """One snapshot (REPEATABLE READ). Raises StoreFailedError."""
        with _failing(), self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Rows changed. Raises StoreFailedError."""
        with _failing():
            return self._connection.execute(_sql(sql), parameters or None).rowcount

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """The statement once for each row, pipelined by the driver; `rows` is read to its end first. Raises StoreFailedError."""
        with _failing(), self._connection.cursor() as cursor:
            cursor.executemany(_sql(sql), list(rows))

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Every row of the answer at once. Raises StoreFailedError."""
        with _failing():
            return self._connection.execute(_sql(sql), parameters or None).fetchall()

    def has_table(self, name: str) -> bool:
        """Whether the search path leads to a table or view of this name."""
        return bool(self.query("SELECT to_regclass(?) IS NOT NULL", (name,))[0][0])

    def integrity(self) -> list[str]:
        """Nothing: pages and indexes of a server are checked by its own tools (data checksums, amcheck)."""
        return []

    def close(self) -> None:
        """End the session; the server drops the advisory lock with it."""
        self._connection.close()


def _connected(url: str) -> psycopg.Connection[Any]:
    with _failing():
        return psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)


def _sql(sql: str) -> str:
    """The log's SQL marks parameters with `?`, which stands nowhere else in it."""
    return sql.replace("?", "%s")


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise StoreFailedError(f"PostgreSQL: {type(error).__name__} {error.sqlstate or ''}") from error
