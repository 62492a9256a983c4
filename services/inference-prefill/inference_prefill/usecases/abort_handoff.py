"""End a hand-off that nobody wants any more. Nobody need know which engine has it: all are told."""

from __future__ import annotations

import asyncio

from inference_prefill.ports import Engines


class AbortHandoff:
    """Harmless when there is none; the lease is the backstop."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def __call__(self, handoff_id: str, epoch: int) -> None:
        """End this epoch and all lower ones."""
        await asyncio.gather(*(engine.abort(handoff_id, epoch) for engine in self._engines.backends))
