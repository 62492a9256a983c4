"""Work that must still be done for somebody who does not wait any more: aborts, ends of records, rooms that are given back.

It runs beside the calls and without their deadlines, is bounded in time, raises nothing, and is waited for when the process stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from meshkit.errors import MeshError
from meshkit.rpc import deadline

_logger = logging.getLogger(__name__)


class Closing:
    """``limit_s``: how long one piece of work may take."""

    def __init__(self, limit_s: float = 10.0) -> None:
        self._limit_s = limit_s
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        """Have something done, whatever becomes of the caller."""
        task = asyncio.get_running_loop().create_task(self._done(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _done(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            with deadline.lifted():
                async with asyncio.timeout(self._limit_s):
                    await work
        except TimeoutError:
            _logger.warning("closing work took too long")
        except MeshError as error:
            _logger.warning("closing work failed", extra={"facts": {"reason": error.reason}})
        except Exception:
            _logger.exception("closing work failed")

    async def aclose(self) -> None:
        """Wait for all of it."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
