"""Ready only when the feature store can be trusted (rules D8, D9)."""

from __future__ import annotations

import asyncio
import logging

from meshkit.errors import Unavailable
from meshkit.service import Service

from risk_scoring.ports import RestorableStore
from risk_scoring.steps.restore import Restorer

log = logging.getLogger(__name__)
_RETRY_S = 0.3


async def until_restored(link: RestorableStore, restorer: Restorer, health: Service) -> None:
    """Wait for Redis and the event log, check Redis' settings, restore.

    Raises FailedPrecondition (STORE_NOT_DURABLE): that needs a person.
    """
    health.not_ready("feature-store", "RESTORING")
    while True:
        try:
            await link.check_durability()
            await restorer.ensure()
        except Unavailable as error:
            health.not_ready("feature-store", error.reason)
            await asyncio.sleep(_RETRY_S)
        else:
            health.recovered("feature-store")
            return
