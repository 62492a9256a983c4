"""What is read of a turn stands in one line: closed sets in small letters, doubts behind."""

from __future__ import annotations

from drills.bankday.desk import said
from finmesh.otc.v1 import otc_service_pb2 as otc


def test_what_was_read_is_said_in_one_line() -> None:
    inquiry = otc.Inquiry(intent=otc.INTENT_FOLLOW_UP, option_type=otc.OPTION_TYPE_CALL, tenor_months=6, underlying_text="中证500")
    told = said(otc.ParseOtcInquiryResponse(inquiry=inquiry, confidence=0.5))
    assert "intent=follow_up" in told and "option_type=call" in told and "underlying_text=中证500" in told and "tenor_months=6.0" in told
    assert "look" not in told
    unsure = otc.ParseOtcInquiryResponse(inquiry=inquiry, needs_confirmation=True, unresolved=[otc.Unresolved(reason="UNDERLYING_UNKNOWN")])
    assert "a person should look" in said(unsure) and "UNDERLYING_UNKNOWN" in said(unsure)
