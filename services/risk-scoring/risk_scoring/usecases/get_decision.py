"""RPC GetDecision: the exact bytes of a stored decision. Raises NotFound (DECISION_UNKNOWN)."""

from __future__ import annotations

from meshkit.errors import NotFound

from risk_scoring.ports import FeatureStore


class GetDecision:
    """Reads the dedupe store: decisions inside the horizon."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    async def __call__(self, decision_id: bytes) -> bytes:
        """Return the decision record."""
        found = await self._store.stored_decision(decision_id)
        if found is None:
            raise NotFound("no such decision inside the dedupe horizon", reason="DECISION_UNKNOWN")
        return found
