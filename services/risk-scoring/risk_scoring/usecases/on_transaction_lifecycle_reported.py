"""Event TransactionLifecycleReported: what happened afterwards updates features and decides nothing."""

from __future__ import annotations

from meshkit.errors import InvalidArgument

from risk_scoring.domain.observation import Change, Observation

# Values of finmesh.risk.v1.LifecycleType; tests/contract holds them together.
INVALID_REPORT = "INVALID_REPORT"
APPROVED, DECLINED, REVERSAL, REFUND, STAND_IN_ADVICE = 1, 2, 3, 4, 5


def lifecycle_change(observation: Observation, tenant: str, report_id: str, kind: int, partial_minor: int | None) -> Change | None:
    """Return the change, None when nothing changes. Ids are the tenant's own.

    ``partial_minor``: in the reference currency. Raises InvalidArgument (INVALID_REPORT).
    """
    if not 0 < len(report_id) <= 64:
        raise InvalidArgument("a report needs an id of 1 to 64 characters", reason=INVALID_REPORT)
    if partial_minor is not None and not 0 < partial_minor <= observation.amount_minor:
        raise InvalidArgument("a partial amount lies between 1 and the whole amount", reason=INVALID_REPORT)
    whole = partial_minor is None or partial_minor == observation.amount_minor
    taken = observation.amount_minor if partial_minor is None else partial_minor
    if kind == APPROVED:
        return None
    if kind == DECLINED:
        name, taken = "decline", observation.amount_minor
    elif kind == REVERSAL:
        name = "cancel" if whole else "reverse"
    elif kind == REFUND:
        name = "reverse"
    elif kind == STAND_IN_ADVICE:
        name = "advice"
    else:
        raise InvalidArgument("unknown type of report", reason=INVALID_REPORT)
    return Change(name, observation, 0, 0, taken, f"report:{tenant}|{report_id}")
