"""Closes generations whose routers are silent: INTERRUPTED, at the last checkpoint.

Every router runs one; the store lets one at a time look. What was claimed by somebody who died before it was written is written as it is.
After the store was away, routers first have the time to say what they have and what they have ended.
"""

from __future__ import annotations

import asyncio
import logging

from meshkit.clock import Clock
from meshkit.errors import DataCorrupted, Unavailable
from meshkit.telemetry import metrics

from router.domain.evidence import EvidenceTiming, Orphan
from router.ports import OpenGenerations, RecordCodec, RecordLog

_LIMIT = 100
_logger = logging.getLogger(__name__)


class Sweeper:
    """Looks every ``timing.sweep_s``."""

    def __init__(self, codec: RecordCodec, store: OpenGenerations, log: RecordLog, clock: Clock, timing: EvidenceTiming) -> None:
        self._codec = codec
        self._store = store
        self._log = log
        self._clock = clock
        self._timing = timing
        self._closed = metrics.meter().create_counter(
            "finmesh.generations.closed", description="generations of silent routers that were closed"
        )
        self._closed.add(0)
        self._not_before_s = 0.0
        self._wait()

    async def run(self) -> None:
        """Refuse a store that may lose what it was told, then look for ever."""
        while True:
            try:
                await self._store.check_durability()
                break
            except Unavailable as error:
                _waiting(error)
                await asyncio.sleep(self._timing.sweep_s)
        while True:
            await asyncio.sleep(self._timing.sweep_s)
            try:
                await self.sweep()
            except Unavailable as error:
                _waiting(error)

    async def sweep(self) -> int:
        """Close what is to be closed now; returns how many. Raises Unavailable."""
        if self._clock.monotonic_s() < self._not_before_s:
            return 0
        try:
            orphans = await self._store.orphans(_LIMIT)
            ends = [(orphan, await self._end_of(orphan)) for orphan in orphans]
        except Unavailable:
            self._wait()
            raise
        closed = [(orphan, content) for orphan, content in ends if content]
        if closed:
            await self._log.write(
                [record for orphan, content in closed for record in (orphan.started, content)]
            )  # the start may be missing
            await self._store.settle([orphan.last.generation_id for orphan, _ in closed])
            self._closed.add(len(closed))
        return len(closed)

    async def _end_of(self, orphan: Orphan) -> bytes:
        """Return the bytes of the end that stands; none when there is nothing to close."""
        try:
            record = self._codec.interrupted(orphan.last, orphan.started)
        except DataCorrupted as error:
            _logger.error("an open generation can't be read", extra={"facts": {"error.reason": error.reason}})
            return b""
        return await self._store.take_over(orphan, record.content)

    def _wait(self) -> None:
        self._not_before_s = self._clock.monotonic_s() + 2 * self._timing.heartbeat_s


def _waiting(error: Unavailable) -> None:
    _logger.warning("generations of silent routers wait", extra={"facts": {"error.reason": error.reason}})
