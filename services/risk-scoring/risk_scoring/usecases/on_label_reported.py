"""Event LabelReported: what a label changes in the features.

Counted from the time it is known, on the day of its transaction (rule D17).
"""

from __future__ import annotations

from meshkit.errors import InvalidArgument

from risk_scoring.domain.observation import Change, Observation

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
    return Change("label", observation, fraud, sign - fraud, 0, f"label:{tenant}|{label_id}", label_type)
