"""What follows the transaction of a purge: originals destroyed, the store's files scrubbed; and what was abandoned is taken away.

The document's key is gone already, so what is still there can't be read by anybody; this takes it away physically.
"""

from __future__ import annotations

import asyncio
import logging

from meshkit.clock import Clock
from meshkit.errors import Unavailable

from rag import ports
from rag.domain.custody import Purge

log = logging.getLogger(__name__)

_PAUSE_S = 30.0
_ABANDONED_S = 86_400.0


class Purging:
    """Goes on with purges."""

    def __init__(self, custody: ports.Custody, blobs: ports.Blobs, clock: Clock) -> None:
        self._custody, self._blobs, self._clock = custody, blobs, clock

    async def further(self, purge: Purge) -> Purge:
        """Do what is left of a purge here; return how far it is. Raises Unavailable."""
        for blob in purge.blobs:
            await self._destroyed(purge.tenant, blob)
            await self._custody.destroyed(purge.purge_id, blob)
        if not purge.scrubbed:
            await self._custody.scrub()
        return await self._custody.purge_of(purge.purge_id, self._now_us())

    async def run(self) -> None:
        """Go on with whatever was left undone, for ever."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.warning("purges wait: %s", error.reason)
            await asyncio.sleep(_PAUSE_S)

    async def once(self) -> None:
        """Go on with purges; take away uploads that nobody goes on with, and originals that became no version. Raises Unavailable."""
        for purge in await self._custody.unfinished(self._now_us()):
            await self.further(purge)
        await self._blobs.sweep(_ABANDONED_S)
        aged = await self._blobs.aged(_ABANDONED_S)
        kept = await self._custody.referred_to([blob for _, blob in aged])
        for tenant, blob in aged:
            if blob not in kept:
                await self._destroyed(tenant, blob)

    async def _destroyed(self, tenant: str, blob: str) -> None:
        """Destroy an original, but for one that was handed in again meanwhile and has a version."""

        async def referred() -> bool:
            return bool(await self._custody.referred_to([blob]))

        await self._blobs.destroy(tenant, blob, unless=referred)

    def _now_us(self) -> int:
        return int(self._clock.now_s() * 1_000_000)
