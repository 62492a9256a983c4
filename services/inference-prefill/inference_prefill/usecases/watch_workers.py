"""Tell what the engines here are, hold and do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from finmesh.inference.v1.worker_service_pb2 import Position, WatchWorkersResponse

from inference_prefill.ports import Feed


class WatchWorkers:
    """From where the watcher was."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, positions: Iterable[Position]) -> AsyncGenerator[WatchWorkersResponse, None]:
        """Yield news until the watcher goes or the process ends."""
        async with aclosing(self._feed.watch({position.worker_id: position for position in positions})) as news:
            async for each in news:
                yield each
