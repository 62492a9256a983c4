"""Connections and their threads: one thread writes, a few read beside it; nothing of it runs on the event loop.

A connection that failed is closed and made anew by the next call, so that a database may be away at the start and come back. The schema
is made by whoever comes first. At the end what runs has some seconds; then it is broken off, for a database may never answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from meshkit.errors import FailedPrecondition, MeshError, Unavailable

from rag.adapters.ledger.database import Connection, Opener
from rag.adapters.ledger.schema import SCHEMA_VERSION, create_schema
from rag.adapters.ledger.sqlite import SqliteConnection

_Result = TypeVar("_Result")
_READERS = 4
_GRACE_S = 5.0
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def opener_of(url: str) -> Opener:
    """Return the way into a database. Raises FailedPrecondition (LEDGER_URL_INVALID), without repeating the URL."""
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        return lambda: SqliteConnection(path)
    if url.startswith(_POSTGRES):
        from rag.adapters.ledger.postgresql import PostgresConnection

        return lambda: PostgresConnection(url)
    raise FailedPrecondition("the ledger's URL starts with sqlite:/// or postgresql://", reason="LEDGER_URL_INVALID")


class Store:
    """The ledger's database. Use as an async context manager."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-read")
        self._local = threading.local()
        self._open: set[Connection] = set()
        self._guard = threading.Lock()
        self._made = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.close)

    async def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """Return what ``work`` returns in one durable transaction. Raises Unavailable, DataCorrupted, and what ``work`` raises."""

        def transaction() -> _Result:
            connection = self._connection()
            with connection.write():
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writer, self._kept, transaction)

    async def read(self, work: Callable[[Connection], _Result]) -> _Result:
        """Return what ``work`` returns over one snapshot. Raises as `write`."""

        def snapshot() -> _Result:
            connection = self._connection()
            with connection.read():
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, self._kept, snapshot)

    async def scrub(self) -> bool:
        """Take what was deleted out of the store's files; False when a reader stands in the way: ask again."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._kept, lambda: self._connection().scrub())

    def close(self) -> None:
        """Wait for what runs, break off what runs on, then close every connection."""
        ended = threading.Event()
        breaking = threading.Thread(target=self._break_off, args=(ended,), name="ledger-end")
        breaking.start()
        for threads in (self._writer, self._readers):
            threads.shutdown(wait=False, cancel_futures=True)
        for threads in (self._writer, self._readers):
            threads.shutdown()
        ended.set()
        breaking.join()
        for connection in self._open:
            connection.close()

    def _break_off(self, ended: threading.Event) -> None:
        while not ended.wait(_GRACE_S):  # again and again: work may just have been between two statements
            with self._guard:
                running = list(self._open)
            for connection in running:
                connection.interrupt()

    def _kept(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        except MeshError as error:
            if isinstance(error, Unavailable):
                self._drop()
            raise
        except Exception:
            self._drop()
            raise

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._opener()
            with self._guard:
                self._open.add(connection)
                self._local.connection = connection
                if not self._made:
                    create_schema(connection)
                    _require_version(connection)
                    self._made = True
        return connection

    def _drop(self) -> None:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            with self._guard:
                self._open.discard(connection)
            with suppress(Exception):
                connection.close()


def _require_version(connection: Connection) -> None:
    """Raises FailedPrecondition (LEDGER_SCHEMA_UNKNOWN) for a ledger that a later release wrote."""
    if connection.query("SELECT value FROM meta WHERE name = 'schema_version'") != [(str(SCHEMA_VERSION),)]:
        raise FailedPrecondition("the ledger has another schema than this release", reason="LEDGER_SCHEMA_UNKNOWN")
