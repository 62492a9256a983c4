"""Event LabelReported: what a label changes in the features.

Counted from the time it is known, on the day of its transaction (rule D17).
"""

from __future__ import annotations

from meshkit.clock import Clock

from risk_scoring.domain.corrections import Label, label_change
from risk_scoring.domain.horizon import check_not_ahead
from risk_scoring.domain.observation import Change
from risk_scoring.steps.identify import Identifier


class OnLabelReported:
    """Turns labels into changes; ``steps.correct`` applies them. Neither a label nor its transaction may lie ahead (rule D16)."""

    def __init__(self, identifier: Identifier, clock: Clock) -> None:
        self._identifier = identifier
        self._clock = clock

    def __call__(self, label: Label) -> Change:
        """Return what it changes. Raises InvalidArgument (INVALID_LABEL, IN_THE_FUTURE)."""
        t, now_s = label.transaction, self._clock.now_s()
        check_not_ahead(label.known_us, now_s)
        check_not_ahead(t.event_time_us, now_s)
        return label_change(self._identifier.observation(t), t.tenant, label.label_id, label.type, label.retracted)
