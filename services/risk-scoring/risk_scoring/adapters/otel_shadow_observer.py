"""What shadow rules would have changed, as a counter."""

from __future__ import annotations

from meshkit.telemetry import metrics

from risk_scoring.domain.shadow import Changes


class OtelShadowObserver:
    """Counts decisions by what shadow rules would have made of them."""

    def __init__(self) -> None:
        self._decisions = metrics.meter().create_counter("finmesh.risk.shadow", description="decisions by what shadow rules say of them")

    def __call__(self, version: str, changes: Changes | None) -> None:
        """Count one batch."""
        if changes is None:
            self._decisions.add(1, {"change": "failed", "version": version})
            return
        for (present, shadow), count in changes.items():
            change = "none" if present == shadow else f"{present.name.lower()}>{shadow.name.lower()}"
            self._decisions.add(count, {"change": change, "version": version})
