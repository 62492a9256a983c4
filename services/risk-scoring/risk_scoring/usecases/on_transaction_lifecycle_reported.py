"""Event TransactionLifecycleReported: what happened afterwards updates features and decides nothing."""

from __future__ import annotations

from meshkit.clock import Clock

from risk_scoring.domain.corrections import Report, lifecycle_change
from risk_scoring.domain.horizon import check_not_ahead
from risk_scoring.domain.observation import Change
from risk_scoring.steps.identify import Identifier


class OnTransactionLifecycleReported:
    """Turns reports into changes; ``steps.correct`` applies them. Neither a report nor its transaction may lie ahead (rule D16)."""

    def __init__(self, identifier: Identifier, clock: Clock) -> None:
        self._identifier = identifier
        self._clock = clock

    def __call__(self, report: Report) -> Change | None:
        """Return what it changes, None for nothing. Raises InvalidArgument (INVALID_REPORT, IN_THE_FUTURE)."""
        t, now_s = report.transaction, self._clock.now_s()
        check_not_ahead(report.reported_us, now_s)
        check_not_ahead(t.event_time_us, now_s)
        partial_minor = self._identifier.to_reference(*report.partial) if report.partial else None
        return lifecycle_change(self._identifier.observation(t), t.tenant, report.report_id, report.type, partial_minor)
