"""RPC GetDecision: the exact bytes of a stored decision.

Raises NotFound (DECISION_UNKNOWN), DecisionUnreadable, Unavailable, Overloaded.
"""

from __future__ import annotations

from meshkit.errors import NotFound

from risk_scoring.domain.observation import Recorded
from risk_scoring.ports import FeatureStore
from risk_scoring.steps.recall import Recall


class GetDecision:
    """Reads the dedupe store: decisions inside the horizon, some of which are kept by their place."""

    def __init__(self, store: FeatureStore, recall: Recall) -> None:
        self._store = store
        self._recall = recall

    async def __call__(self, decision_id: bytes, remaining_s: float) -> bytes:
        """Return the decision record."""
        found = await self._store.stored_decision(decision_id)
        if found is None:
            raise NotFound("no such decision inside the dedupe horizon", reason="DECISION_UNKNOWN")
        if isinstance(found, Recorded):
            return await self._recall.read(found.place, decision_id, found.fingerprint, remaining_s)
        return found
