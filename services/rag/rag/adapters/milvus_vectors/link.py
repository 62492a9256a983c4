"""Calls of Milvus on a few threads, each bounded in time; while it is known to be away they are refused at once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc
from meshkit.breaker import CircuitBreaker
from meshkit.errors import FailedPrecondition, InvalidArgument, Unavailable
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

NOT_FOUND, NOT_LOADED = frozenset({4, 100, 1600}), frozenset({101})  # codes of Milvus and of Milvus Lite
_REFUSED = frozenset({6, 1100})
_AWAY_S = 1.0

log = logging.getLogger(__name__)
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it writes whole tracebacks for what is handled here
_Result = TypeVar("_Result")


class Link:
    """One client, made when it is first needed, so that any order of start works."""

    def __init__(self, uri: str, token: str, timeout_s: float, threads: int) -> None:
        """Raise InvalidArgument (MILVUS_URI_INVALID): of a path the client would start a server inside this process."""
        if not uri.startswith(("http://", "https://")):
            raise InvalidArgument("Milvus is reached at http:// or https://", reason="MILVUS_URI_INVALID")
        self._uri, self._token, self._timeout_s = uri, token, timeout_s
        self._client: MilvusClient | None = None
        self._connecting = threading.Lock()
        self._breaker = CircuitBreaker(failures=2, open_s=_AWAY_S)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="milvus")
        self.lite = True

    async def close(self) -> None:
        """Let go; a call under way ends by its own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            client, self._client = self._client, None
            await asyncio.to_thread(client.close)

    async def call(self, work: Callable[[MilvusClient], _Result], timeout_s: float | None = None) -> _Result:
        """Run on a thread. Raises Unavailable (MILVUS_UNAVAILABLE), FailedPrecondition (MILVUS_REFUSED)."""
        try:
            with self._breaker.guard():
                return await self._on_thread(work, timeout_s)
        except Unavailable as error:
            message = "the vector store can't be reached"
            raise Unavailable(message, reason="MILVUS_UNAVAILABLE", retry_after_s=error.retry_after_s or _AWAY_S) from error

    async def _on_thread(self, work: Callable[[MilvusClient], _Result], timeout_s: float | None) -> _Result:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                return await loop.run_in_executor(self._threads, lambda: work(self._connected()))
        except (MilvusException, grpc.RpcError, OSError, TimeoutError) as error:
            code = error.code if isinstance(error, MilvusException) else None
            log.warning("Milvus did not do it: %s %s", type(error).__name__, code)
            if code in _REFUSED:
                raise FailedPrecondition("the vector store refuses this", reason="MILVUS_REFUSED") from error
            raise Unavailable("the vector store did not answer") from error

    def _connected(self) -> MilvusClient:
        with self._connecting:
            if self._client is None:
                client = MilvusClient(uri=self._uri, token=self._token, timeout=self._timeout_s, dedicated=True)
                self.lite = "lite" in str(client.get_server_version(timeout=self._timeout_s)).lower()
                self._client = client
            return self._client
