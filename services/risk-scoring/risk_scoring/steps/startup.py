"""Ready only when the feature store can be trusted (rules D8, D9)."""

from __future__ import annotations

from meshkit.errors import Unavailable
from meshkit.events import backoff
from meshkit.events.health import Health

from risk_scoring.ports import RestorableStore
from risk_scoring.steps.restore import Restorer


async def until_restored(link: RestorableStore, restorer: Restorer, health: Health) -> None:
    """Wait for Redis and the event log, check Redis' settings, restore.

    Raises FailedPrecondition (STORE_NOT_DURABLE): that needs a person.
    """
    health.not_ready("feature-store", "RESTORING")
    attempt = 0
    while True:
        try:
            await link.check_durability()
            await restorer.ensure()
        except Unavailable as error:
            health.not_ready("feature-store", error.reason)
            attempt = await backoff.pause(attempt)
        else:
            health.recovered("feature-store")
            return
