"""What labels and lifecycle reports change in the features of a transaction that was observed before."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit.errors import InvalidArgument

from risk_scoring.domain.observation import Change, Observation
from risk_scoring.domain.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Label:
    """What became known about a transaction, and since when. ``type``: a number of LabelType."""

    transaction: Transaction
    label_id: str
    type: int
    retracted: bool
    known_us: int


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to a transaction afterwards. ``type``: a number of LifecycleType; ``partial``: minor units and currency."""

    transaction: Transaction
    report_id: str
    type: int
    partial: tuple[int, str] | None
    reported_us: int


# Values of finmesh.risk.v1.LabelType by what they say; tests/contract holds them together.
INVALID_LABEL = "INVALID_LABEL"
SAYS_FRAUD = frozenset({1, 2, 5, 7})  # chargeback, confirmed fraud, challenge failed, review rejected
SAYS_GENUINE = frozenset({3, 4, 6})  # confirmed genuine, challenge passed, review released


def label_change(observation: Observation, tenant: str, label_id: str, label_type: int, retracted: bool) -> Change:
    """Return the change. Ids are the tenant's own. Raises InvalidArgument (INVALID_LABEL)."""
    if not 0 < len(label_id) <= 64:
        raise InvalidArgument("a label needs an id of 1 to 64 characters", reason=INVALID_LABEL)
    if label_type not in SAYS_FRAUD | SAYS_GENUINE:
        raise InvalidArgument("unknown type of label", reason=INVALID_LABEL)
    sign = -1 if retracted else 1
    fraud = sign if label_type in SAYS_FRAUD else 0
    return Change(
        kind="label",
        observation=observation,
        frauds=fraud,
        genuine=sign - fraud,
        amount_minor=0,
        change_id=f"label:{tenant}|{label_id}",
        label_type=label_type,
    )


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
    return Change(kind=name, observation=observation, frauds=0, genuine=0, amount_minor=taken, change_id=f"report:{tenant}|{report_id}")
