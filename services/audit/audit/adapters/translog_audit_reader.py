"""Reads the log beside its writer, over a connection and a thread of their own; opened again after a failure."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Self, TypeVar

from meshkit.errors import DataCorrupted, NotFound, Unavailable
from translog.database import Database
from translog.errors import NotFoundError, ProofError, StoreFailedError, TamperedError
from translog.reader import ConsistencyProof, InclusionProof, Leaf, LogReader
from translog.stores import Store

_Result = TypeVar("_Result")


class TranslogAuditReader:
    """Port AuditReader. Use as an async context manager."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit-read")
        self._database: Database | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown()

    async def record(self, event_id: str) -> Leaf:
        """Raises NotFound AUDIT_RECORD_UNKNOWN and, as every method here, Unavailable and DataCorrupted AUDIT_LOG_DAMAGED."""
        return await self._run(lambda reader: reader.record(event_id), "AUDIT_RECORD_UNKNOWN")

    async def find(self, *, request_id: str, decision_id: str, tenant: str, after: int, limit: int) -> list[Leaf]:
        """Of a request, else of a decision, above index `after`; an id that nothing bears gives an empty list, not NotFound."""

        def find(reader: LogReader) -> list[Leaf]:
            return reader.find(request_id=request_id, decision_id=decision_id, tenant=tenant, after=after, limit=limit)

        return await self._run(find, "AUDIT_RECORD_UNKNOWN")

    async def inclusion(self, event_id: str, size: int) -> InclusionProof:
        """Inclusion proof (RFC 9162, 2.1.3) at a size that a checkpoint was signed for. NotFound TREE_SIZE_UNKNOWN, for the record too."""
        return await self._run(lambda reader: reader.inclusion(event_id, size), "TREE_SIZE_UNKNOWN")

    async def consistency(self, old_size: int, new_size: int) -> ConsistencyProof:
        """Consistency proof (RFC 9162, 2.1.4); only `new_size` needs a signed checkpoint. NotFound TREE_SIZE_UNKNOWN."""
        return await self._run(lambda reader: reader.consistency(old_size, new_size), "TREE_SIZE_UNKNOWN")

    async def checkpoint(self) -> tuple[int, str, str]:
        """Of the newest checkpoint: size, signed note (C2SP), and the verifier key text that the store states."""
        return await self._run(lambda reader: (*reader.checkpoint_note(), reader.require()[1]), "CHECKPOINT_UNKNOWN")

    async def tallies(self) -> dict[tuple[str, str], int]:
        """Leaves by (kind, tenant), as the store's running counts say; nothing is recounted."""
        return await self._run(lambda reader: reader.tallies(), "TALLIES_UNKNOWN")

    async def _run(self, work: Callable[[LogReader], _Result], missing: str) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, work, missing)

    def _read(self, work: Callable[[LogReader], _Result], missing: str) -> _Result:
        reader = self._reader()
        try:
            return work(reader)
        except NotFoundError as error:
            raise NotFound("not in the log", reason=missing) from error
        except (ProofError, TamperedError) as error:
            raise DataCorrupted("the log contradicts itself", reason="AUDIT_LOG_DAMAGED") from error
        except StoreFailedError as error:
            self._drop()
            raise Unavailable("the log's database does not answer", reason="AUDIT_STORE_DOWN") from error

    def _reader(self) -> LogReader:
        """The reader over an open log; a log that the writer has not made yet is Unavailable, not NotFound."""
        try:
            if self._database is None:
                database = self._store.open_reader()
                self._database = database
                LogReader(database).require()
            return LogReader(self._database)
        except (NotFoundError, StoreFailedError) as error:
            self._drop()
            raise Unavailable("the log is not open yet", reason="AUDIT_LOG_CLOSED") from error
        except TamperedError as error:
            self._drop()
            raise DataCorrupted("the log cannot be read", reason="AUDIT_LOG_DAMAGED") from error

    def _drop(self) -> None:
        if self._database is not None:
            with suppress(StoreFailedError):
                self._database.close()
        self._database = None
