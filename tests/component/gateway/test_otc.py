"""Inquiries of the OTC desk at both doors: whose they are, what reaches the owner, what comes back, who may not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2 as httpx
import pytest
from finmesh.common.v1 import grade_pb2
from finmesh.gateway.v1 import gateway_service_pb2 as gateway
from finmesh.otc.v1 import otc_service_pb2 as otc
from meshkit.errors import InvalidArgument, PermissionDenied

from tests.component.gateway.conftest import Door, OpenDoor
from tests.component.gateway.openai_clients import context, key

DESK: dict[str, Any] = {"roles": ["otc-desk"], "purposes": ["otc-sales"]}
PATH = "/v1/otc/inquiries"


def asking(text: str = "茅台 两周 平值call 1kw", grade: int = 3, **fields: Any) -> gateway.ParseOtcInquiryRequest:
    request = otc.ParseOtcInquiryRequest(tenant="bank-a", text=text, grade=grade, **fields)  # type: ignore[arg-type]
    return gateway.ParseOtcInquiryRequest(request=request)


async def posted(door: Door, body: Any, claims: Any = None, **headers: str) -> httpx.Response:
    token = key(door, **(claims or DESK))
    async with httpx.AsyncClient(verify=context(door), trust_env=False) as client:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"authorization": f"Bearer {token}", "content-type": "application/json"} | headers
        return await client.post(f"https://localhost:{door.service.http_port}{PATH}", content=content, headers=told)


async def test_a_text_goes_to_its_owner_and_comes_back_as_an_inquiry(door: Door) -> None:
    answer = await door.stub.ParseOtcInquiry(asking(), metadata=door.token(**DESK))
    assert answer.response.inquiry.tenor_months == 0.5 and answer.response.confidence == 0.75
    (facts,) = door.desk.facts
    assert (facts.tenant, facts.scenario, facts.purpose) == ("bank-a", "otc", "otc-sales")
    assert facts.budget_key, "its tokens are booked to somebody"


async def test_others_may_not(door: Door) -> None:
    for claims in ({"roles": ["assistant-user"]}, DESK | {"purposes": ["fraud-prevention"]}):
        error = await door.failure(door.stub.ParseOtcInquiry, asking(), door.token(**claims))
        assert isinstance(error, PermissionDenied)
    error = await door.failure(door.stub.ParseOtcInquiry, asking(grade=4), door.token(**DESK))
    assert isinstance(error, PermissionDenied)
    assert not door.desk.requests


async def test_tokens_are_held_while_the_owner_works(open_door: OpenDoor) -> None:
    async with open_door(budget={"principal": {"output_per_minute": 10}}) as door:
        door.desk.may_answer.clear()
        first = asyncio.ensure_future(door.stub.ParseOtcInquiry(asking(), metadata=door.token(**DESK)))
        await door.desk.asked.wait()
        error = await door.failure(door.stub.ParseOtcInquiry, asking(), door.token(**DESK))
        assert error.reason == "TOKENS_EXHAUSTED"
        door.desk.may_answer.set()
        assert (await first).response.generation_id == "g-1"
        assert len(door.desk.requests) == 1


async def test_over_http_every_field_is_there_and_null_where_nothing_is_said(door: Door) -> None:
    response = await posted(door, {"text": "茅台 两周 平值call 1kw", "last_terms": {"side": "buy", "strike_pct": 80, "underlying": None}})
    assert response.status_code == 200, response.text
    said = response.json()
    assert said["inquiry"] == {
        "intent": "quote", "product": "vanilla", "side": None, "underlying": None, "underlying_text": "茅台", "option_type": None,
        "notional_cny": 10_000_000, "tenor_months": 0.5, "strike_pct": None, "knock_in_pct": None, "knock_out_pct": None,
        "knock_out_step_pct": None, "lockup_months": None, "coupon_pct": None, "bond_code": None, "yield_pct": None, "face_cny": None,
    }  # fmt: skip
    assert said["unresolved"] == [{"reason": "UNDERLYING_UNKNOWN", "field": "underlying", "words": "茅台"}]
    assert (said["needs_confirmation"], said["id"], said["record_ids"]) == (True, "g-1", ["s-1", "e-1"])
    (request,) = door.desk.requests
    assert (request.tenant, request.grade, request.text) == ("bank-a", grade_pb2.DATA_GRADE_L3, "茅台 两周 平值call 1kw")
    assert (request.last_terms.side, request.last_terms.strike_pct) == (otc.SIDE_BUY, 80)
    assert not request.last_terms.HasField("underlying")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "FIELD_INVALID"), ({"text": 5}, "FIELD_INVALID"), ({"text": "a", "more": 1}, "FIELD_UNKNOWN"), (b"{", "MALFORMED_JSON"),
        (b'{"text":"\\ud800"}', None), ({"text": "a", "last_terms": []}, "FIELD_INVALID"), ({"text": "a" * 100_000}, "TEXT_TOO_LONG"),
        ({"text": "a", "last_terms": {"side": "both"}}, "FIELD_INVALID"),
        ({"text": "a", "last_terms": {"tenor_months": -1}}, "FIELD_INVALID"),
        ({"text": "a", "last_terms": {"tenor_months": "x"}}, "FIELD_INVALID"), ({"text": "a", "last_terms": {"x": 1}}, "FIELD_UNKNOWN"),
        ({"text": "a", "last_terms": {"bond_code": "1" * 65}}, "FIELD_INVALID"),
    ],
)  # fmt: skip
async def test_a_wrong_body_is_refused_by_name(door: Door, body: Any, reason: str | None) -> None:
    response = await posted(door, body)
    assert response.status_code in (400, 413)
    assert reason is None or response.json()["error"]["reason"] == reason
    assert not door.desk.requests


async def test_the_owner_s_errors_pass(door: Door) -> None:
    door.desk.failure = InvalidArgument("the text cannot be read", reason="TEXT_EMPTY")
    response = await posted(door, {"text": "🙏"})
    assert (response.status_code, response.json()["error"]["reason"]) == (400, "TEXT_EMPTY")


async def test_only_by_post(door: Door) -> None:
    async with httpx.AsyncClient(verify=context(door), trust_env=False) as client:
        response = await client.get(f"https://localhost:{door.service.http_port}{PATH}")
    assert response.status_code == 405
