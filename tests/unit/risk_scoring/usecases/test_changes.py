"""What labels and lifecycle reports change, and what they may not say."""

import pytest
from finmesh.risk.v1.transaction_pb2 import LabelType, LifecycleType
from meshkit.errors import InvalidArgument
from risk_scoring.domain.corrections import SAYS_FRAUD, SAYS_GENUINE, label_change, lifecycle_change

from tests.protocol.makers import seen


def test_every_type_of_label_says_one_thing() -> None:
    known = set(LabelType.values()) - {0}
    assert known == SAYS_FRAUD | SAYS_GENUINE
    assert not SAYS_FRAUD & SAYS_GENUINE


@pytest.mark.parametrize("kind", sorted(SAYS_FRAUD | SAYS_GENUINE))
@pytest.mark.parametrize("retracted", [False, True])
def test_a_label_counts_and_a_retraction_takes_it_back(kind, retracted) -> None:
    change = label_change(seen(1), "bank-a", "L1", kind, retracted)
    sign = -1 if retracted else 1
    assert (change.frauds, change.genuine) == ((sign, 0) if kind in SAYS_FRAUD else (0, sign))
    assert (change.kind, change.change_id, change.amount_minor) == ("label", "label:bank-a|L1", 0)


@pytest.mark.parametrize(("label_id", "kind"), [("", 1), ("x" * 65, 1), ("L", 0), ("L", 99)])
def test_labels_that_say_nothing(label_id, kind) -> None:
    with pytest.raises(InvalidArgument) as refused:
        label_change(seen(1), "bank-a", label_id, kind, False)
    assert refused.value.reason == "INVALID_LABEL"


@pytest.mark.parametrize(
    ("kind", "partial", "name", "taken"),
    [
        ("AUTHORIZATION_DECLINED", None, "decline", 10_000),
        ("AUTHORIZATION_DECLINED", 5, "decline", 10_000),
        ("REVERSAL", None, "cancel", 10_000),
        ("REVERSAL", 10_000, "cancel", 10_000),
        ("REVERSAL", 400, "reverse", 400),
        ("REFUND", None, "reverse", 10_000),
        ("REFUND", 400, "reverse", 400),
        ("STAND_IN_ADVICE", None, "advice", 10_000),
    ],
)
def test_reports(kind, partial, name, taken) -> None:
    change = lifecycle_change(seen(1), "bank-a", "R1", LifecycleType.Value(f"LIFECYCLE_TYPE_{kind}"), partial)
    assert change is not None
    assert (change.kind, change.amount_minor, change.change_id) == (name, taken, "report:bank-a|R1")


def test_an_approval_changes_nothing() -> None:
    assert lifecycle_change(seen(1), "bank-a", "R1", LifecycleType.LIFECYCLE_TYPE_AUTHORIZATION_APPROVED, None) is None


def test_every_type_of_report_is_known() -> None:
    for kind in set(LifecycleType.values()) - {0}:
        lifecycle_change(seen(1), "bank-a", "R1", kind, None)


@pytest.mark.parametrize(
    ("report_id", "kind", "partial"), [("", 3, None), ("x" * 65, 3, None), ("R", 0, None), ("R", 99, None), ("R", 3, 0), ("R", 3, 10_001)]
)
def test_reports_that_cannot_be(report_id, kind, partial) -> None:
    with pytest.raises(InvalidArgument) as refused:
        lifecycle_change(seen(1), "bank-a", report_id, kind, partial)
    assert refused.value.reason == "INVALID_REPORT"
