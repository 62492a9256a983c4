"""The inference services: a channel to each instance, and the news of the workers behind it.

Instances come from a list or a DNS name, which is asked again every few seconds; one that is named no more gets nothing new, and what runs
there goes on. Each has its own channel, since a call is for one worker,
and its own watch, which goes on after the last event taken: after a break, and when numbers are missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from finmesh.inference.v1 import worker_service_pb2_grpc
from finmesh.inference.v1.worker_service_pb2 import WatchWorkersResponse
from meshkit.config import TlsSettings
from meshkit.errors import DeadlineExceeded, MeshError, Unavailable
from meshkit.events import backoff
from meshkit.rpc.channel import MeshChannel

from router import ports
from router.adapters.dns_instances import instances
from router.translate import workers

RESOLVE_S = 5.0
_WATCH_S = 3_600.0
_LEAVING_S = 300.0  # as long as the longest answer: a name forgets an instance while that still answers
_logger = logging.getLogger(__name__)


class GrpcWorkers:
    """``targets``: gRPC target by name of the service, whose certificate each instance must show."""

    def __init__(self, targets: Mapping[str, str], tls: TlsSettings, news: ports.WorkerNews) -> None:
        self._targets = targets
        self._tls = tls
        self._news = news
        self._channels: dict[str, MeshChannel] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._addresses: dict[str, str] = {}  # worker -> address of the instance in front of it
        self._block_tokens: dict[str, int] = {}

    def channel(self, worker: str) -> MeshChannel:
        """Return the channel to the instance in front of a worker. Raises Unavailable (WORKER_UNKNOWN)."""
        channel = self._channels.get(self._addresses.get(worker, ""))
        if channel is None:
            raise Unavailable("the worker is gone", reason="WORKER_UNKNOWN")
        return channel

    async def run(self) -> None:
        """Look for instances, for ever."""
        known: dict[str, frozenset[str]] = {}
        while True:
            for service, target in self._targets.items():
                try:
                    known[service] = await instances(target)
                except OSError as error:  # the last answer holds
                    _logger.warning("a name can't be resolved", extra={"facts": {"service": service, "error": type(error).__name__}})
            await self._follow({address: service for service, addresses in known.items() for address in addresses})
            await asyncio.sleep(RESOLVE_S)

    async def _follow(self, wanted: Mapping[str, str]) -> None:
        for address in wanted.keys() - self._watches.keys():
            self._channels[address] = MeshChannel(address, self._tls, server_name=wanted[address])
            self._watches[address] = asyncio.get_running_loop().create_task(self._watch(address), name=f"watch {address}")
        for address in self._watches.keys() - wanted.keys():
            await self._leave(address)

    async def _leave(self, address: str) -> None:
        watch = self._watches.pop(address)
        watch.cancel()
        await asyncio.wait({watch})
        for worker in [worker for worker, where in self._addresses.items() if where == address]:
            self._gone(worker)
        closing = asyncio.get_running_loop().create_task(self._channels.pop(address).close(_LEAVING_S), name=f"leaving {address}")
        self._leaving.add(closing)
        closing.add_done_callback(self._leaving.discard)

    async def _watch(self, address: str) -> None:
        attempt = 0
        stub: Any = worker_service_pb2_grpc.WorkerServiceStub(self._channels[address])
        while True:
            try:
                request = workers.watch_request(self._news.positions(address))
                async with aclosing(stub.WatchWorkers(request, timeout=_WATCH_S)) as told:
                    async for news in told:
                        attempt = 0
                        if not self._take(address, news):
                            break  # numbers are missing: ask again from the last one
            except DeadlineExceeded:
                continue  # as long as one call may take
            except MeshError as error:
                _logger.info("a watch broke off", extra={"facts": {"address": address, "reason": error.reason}})
                if attempt:  # it could not be taken up again
                    self._news.lost(address)
            except Exception:  # what one service says must not end the watch of it
                _logger.exception("a watch failed")
                self._news.lost(address)
            attempt = await backoff.pause(attempt)

    def _take(self, address: str, news: WatchWorkersResponse) -> bool:
        """Pass one piece of news on; False when numbers are missing before it."""
        name, incarnation = news.worker_id, news.incarnation
        kind = news.WhichOneof("news")
        if kind == "description":
            worker = workers.worker(news.description)
            if worker is not None:
                self._addresses[name], self._block_tokens[name] = address, news.description.block_tokens
                self._news.described(address, worker)
        elif kind == "load":
            self._news.loaded(name, incarnation, workers.load(news.load, self._block_tokens.get(name, 1)))
        elif kind == "event":
            event = news.event
            return self._news.blocks(name, incarnation, event.seq, workers.stored(event), event.removed, event.cleared)
        elif kind == "gone" and self._addresses.get(name) == address:
            self._gone(name)
        return True

    def _gone(self, worker: str) -> None:
        self._addresses.pop(worker, None)
        self._block_tokens.pop(worker, None)
        self._news.gone(worker)

    async def aclose(self) -> None:
        """End watches and close channels, at once."""
        for address in list(self._watches):
            await self._leave(address)
        for closing in self._leaving:
            closing.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
