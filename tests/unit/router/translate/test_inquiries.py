"""Inquiries to and from the contract: absent stays absent, last terms are checked by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from finmesh.otc.v1 import otc_service_pb2 as pb
from meshkit.errors import InvalidArgument
from meshkit.rpc.metadata import CallerFacts
from otcdesk.inquiry import Inquiry, Intent, Product, Side
from router.translate.inquiries import _inquiry, _message, asked

FACTS = CallerFacts()


def test_what_is_absent_stays_absent_both_ways() -> None:
    inquiry = Inquiry(Intent.QUOTE, Product.BOND, Side.SELL, bond_code="230023", yield_pct=Decimal("2.55"), face_cny=Decimal(50_000_000))
    message = _message(inquiry)
    assert not message.HasField("notional_cny") and not message.option_type
    assert _inquiry(message) == inquiry


def test_a_grade_that_is_not_stated_is_the_highest_and_the_scenario_the_desk_s() -> None:
    found = asked(pb.ParseOtcInquiryRequest(tenant="bank-a", text="x"), FACTS)
    assert (found.request.grade, found.request.scenario, found.last) == (5, "otc", None)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tenor_months": float("nan")}, "tenor_months"), ({"strike_pct": float("inf")}, "strike_pct"), ({"product": 99}, "product"),
        ({"underlying": "x" * 65}, "underlying"),
    ],
)  # fmt: skip
def test_last_terms_that_are_none_are_refused_by_name(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidArgument) as wrong:
        asked(pb.ParseOtcInquiryRequest(tenant="bank-a", text="x", last_terms=pb.Inquiry(**fields)), FACTS)
    assert wrong.value.reason == "LAST_TERMS_INVALID" and wrong.value.violations[0].field == f"last_terms.{place}"
