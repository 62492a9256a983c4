"""Changes of one input partition into the feature store, together with its next position: nothing counts twice and nothing is left out."""

from __future__ import annotations

from collections.abc import Sequence

from risk_scoring.domain.observation import Change, Effect
from risk_scoring.ports import FeatureStore, StoreForgotten
from risk_scoring.steps.restore import Restorer


class Corrector:
    """Methods raise Unavailable; after StoreForgotten the position went back with the state: everything since then is read again."""

    def __init__(self, store: FeatureStore, restorer: Restorer) -> None:
        self._store = store
        self._restorer = restorer

    async def positions(self) -> dict[str, str]:
        """Return the next position of every input."""
        await self._restorer.ensure()
        return await self._store.amended()

    async def apply(self, changes: Sequence[Change], source: str, position: str) -> list[int]:
        """Apply changes; returns which of them the store refuses. While there are any, the position stays: a call without them moves it."""
        try:
            effects = await self._store.amend(changes, source, position)
        except StoreForgotten:
            await self._restorer.ensure()
            raise
        return [index for index, effect in enumerate(effects) if effect is Effect.REFUSED]
