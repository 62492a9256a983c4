"""The writer: translog's Log behind a thread of its own, opened when first needed and opened again after a failure.

What ends the process is left to escape: tampering, a pinned checkpoint that is not in the log, a later writer, a disk that failed.
Everything else (a database that is away, another writer that still holds the lock) is Unavailable, and the caller comes again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Self, TypeVar

from meshkit.clock import Clock
from meshkit.errors import Unavailable
from translog.database import Database
from translog.entries import Batch, Commit, NextOffset, ProducerPosition
from translog.errors import StoreBusyError, StoreFailedError
from translog.log import Committed, Log, Seal
from translog.note import Signer
from translog.stores import Store

from audit.adapters.anchors import Anchors

_Result = TypeVar("_Result")


class TranslogAuditLog:
    """Port AuditLog. Use as an async context manager."""

    def __init__(self, store: Store, signer: Signer, seal: Seal, commit: Commit, anchors: Anchors, clock: Clock) -> None:
        self._store = store
        self._signer = signer
        self._seal = seal
        self._commit = commit
        self._anchors = anchors
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit-log")
        self._database: Database | None = None
        self._log: Log | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def offsets(self) -> list[NextOffset]:
        """As checked when the log was opened, which the first call does. Raises Unavailable, and what ends the process."""
        return await self._run(lambda log: log.offsets())

    async def producers(self) -> list[ProducerPosition]:
        """As `offsets`, of producers."""
        return await self._run(lambda log: log.producers())

    async def append(self, batch: Batch) -> Committed:
        """One durable transaction, then the checkpoint is anchored. After any error the log is opened again at the next call."""
        return await self._run(lambda log: self._append(log, batch))

    async def _run(self, work: Callable[[Log], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._with_log, work)

    def _with_log(self, work: Callable[[Log], _Result]) -> _Result:
        try:
            return work(self._opened())
        except StoreBusyError as error:
            raise Unavailable("another writer has the log", reason="AUDIT_LOG_HELD") from error
        except StoreFailedError as error:
            self._drop()
            if error.disk:
                raise
            raise Unavailable("the log's database does not answer", reason="AUDIT_STORE_DOWN") from error
        except BaseException:
            self._drop()
            raise

    def _append(self, log: Log, batch: Batch) -> Committed:
        committed = log.append(batch)
        self._anchors.keep(committed.note)
        return committed

    def _opened(self) -> Log:
        if self._log is None:
            self._database = self._store.open_writer()
            now_ms = int(self._clock.now_s() * 1000)
            self._log = self._anchors.open(self._database, self._signer, self._seal, self._commit, now_ms)
        return self._log

    def _drop(self) -> None:
        if self._database is not None:
            with suppress(StoreFailedError):
                self._database.close()
        self._database = self._log = None

    def _close(self) -> None:
        if self._log is not None and not self._log.spent:
            self._anchors.keep(self._log.note, now=True)
        self._drop()
