"""Which database a URL means, and how its writer and readers are opened. Files and connections are made when opened, not before."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from translog.database import Database
from translog.sqlite import SqliteDatabase

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Store:
    """Ways into one database. Both raise StoreFailedError; the writer StoreBusyError, the reader NotFoundError."""

    open_writer: Callable[[], Database]
    open_reader: Callable[[], Database]


def store_at(url: str) -> Store:
    """Return the store of a URL; raises ValueError for another kind, without repeating the URL (it may hold a password)."""
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return _sqlite(Path(url.removeprefix(_SQLITE)))
    if url.startswith(_POSTGRES):
        from translog.postgresql import PostgresDatabase  # needs psycopg, which is an extra

        return Store(lambda: PostgresDatabase.open_writer(url), lambda: PostgresDatabase.open_reader(url))
    raise ValueError("the database URL starts with sqlite:/// or postgresql://")


def _sqlite(path: Path) -> Store:
    def writer() -> Database:
        path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteDatabase.open_writer(path)

    return Store(writer, lambda: SqliteDatabase.open_reader(path))
