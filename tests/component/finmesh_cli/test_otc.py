"""`finmesh otc`: texts as arguments and as lines, a conversation, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

from finmesh.common.v1 import grade_pb2
from finmesh.otc.v1 import otc_service_pb2 as otc
from meshkit.errors import InvalidArgument, Unavailable

from .conftest import Cli, FakeGateway

QUOTE = otc.Inquiry(
    intent=otc.INTENT_QUOTE, product=otc.PRODUCT_VANILLA, side=otc.SIDE_BUY, underlying="000905.SH", underlying_text="500",
    option_type=otc.OPTION_TYPE_CALL, notional_cny=10_000_000, tenor_months=0.5, strike_pct=102.5,
)  # fmt: skip


def answer(inquiry: otc.Inquiry = QUOTE, terms: otc.Inquiry | None = None, **more: object) -> otc.ParseOtcInquiryResponse:
    fields = {"confidence": 0.98765, "model": "otc-inquiry", **more}
    return otc.ParseOtcInquiryResponse(inquiry=inquiry, terms=terms or inquiry, own_text="{}", **fields)  # type: ignore[arg-type]


def cells(line: str) -> list[str]:
    return line.split()


async def test_what_a_text_states_is_a_table(cli: Cli, gateway: FakeGateway, certs: Path) -> None:
    gateway.inquiries = [answer()]
    done = await cli("otc", "500 两周 102.5call 1kw 买")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = [cells(line) for line in done.stdout.splitlines() if line.strip()]
    assert lines[0] == ["500", "两周", "102.5call", "1kw", "买"]
    for row in (["intent", "quote"], ["notional_cny", "10,000,000"], ["tenor_months", "0.5"], ["underlying", "000905.SH"], ["side", "buy"]):
        assert row in lines
    assert not [line for line in lines if line[0] in ("bond_code", "coupon_pct")], "what is not stated is not shown"
    assert ["confidence", "0.9877", "otc-inquiry"] in lines and "should look" not in done.stdout
    (asked,) = gateway.asked
    assert (asked.tenant, asked.text, asked.grade) == ("bank-a", "500 两周 102.5call 1kw 买", grade_pb2.DATA_GRADE_L3)
    assert not asked.HasField("last_terms")
    assert gateway.headers[0]["authorization"] == "Bearer " + (certs / "desk.jwt").read_text()
    assert gateway.headers[0]["x-finmesh-purpose"] == "otc-sales"


async def test_in_chinese_and_what_needs_a_person(cli: Cli, gateway: FakeGateway) -> None:
    unknown = [otc.Unresolved(reason="UNDERLYING_UNKNOWN", field="underlying", words="某某\x1b[2J")]
    gateway.inquiries = [answer(otc.Inquiry(intent=otc.INTENT_QUOTE, underlying_text="某某"), needs_confirmation=True, unresolved=unknown)]
    done = await cli("otc", "某某 报价", language="zh")
    assert "询价" in done.stdout and "标的原文" in done.stdout and "需人工确认" in done.stdout
    assert "UNDERLYING_UNKNOWN underlying 某某" in done.stdout and "\x1b[2J" not in done.stdout


async def test_lines_are_texts_by_themselves(cli: Cli, gateway: FakeGateway) -> None:
    gateway.inquiries = [answer(), answer()]
    done = await cli("otc", stdin="500 平值call\n\n茅台 80put\n")
    assert done.exit_code == 0, done.stderr
    assert [asked.text for asked in gateway.asked] == ["500 平值call", "茅台 80put"]
    assert not any(asked.HasField("last_terms") for asked in gateway.asked)


async def test_a_conversation_hands_on_what_was_agreed(cli: Cli, gateway: FakeGateway) -> None:
    changed = otc.Inquiry(intent=otc.INTENT_FOLLOW_UP, tenor_months=6)
    terms = otc.Inquiry()
    terms.CopyFrom(QUOTE)
    terms.tenor_months = 6
    gateway.inquiries = [answer(), answer(changed, terms), answer(otc.Inquiry(intent=otc.INTENT_ORDER), terms)]
    done = await cli("otc", "--conversation", stdin="500 平值call\n改成半年\n下单\n")
    assert [asked.last_terms for asked in gateway.asked] == [otc.Inquiry(), QUOTE, terms]
    assert ["tenor_months", "6", "6"] in [cells(line) for line in done.stdout.splitlines()]
    assert ["notional_cny", "10,000,000"] in [cells(line) for line in done.stdout.splitlines()][-12:], "agreed before, not said now"


async def test_a_refused_text_is_told_and_the_next_one_read(cli: Cli, gateway: FakeGateway) -> None:
    gateway.inquiries = [InvalidArgument("the text cannot be read", reason="TEXT_EMPTY"), answer()]
    done = await cli("otc", "--json", "🙏", "500 平值call")
    assert done.exit_code == 2 and "TEXT_EMPTY" in done.stderr
    refused, read = map(json.loads, done.stdout.splitlines())
    assert refused == {"error": {"reason": "TEXT_EMPTY", "message": "the text cannot be read"}}
    assert read["inquiry"]["underlying"] == "000905.SH" and read["inquiry"]["strike_pct"] == 102.5


async def test_what_is_not_about_the_text_ends_it(cli: Cli, gateway: FakeGateway) -> None:
    gateway.inquiries = [Unavailable("no worker", reason="NO_WORKER"), answer()]
    done = await cli("otc", "500 平值call", "茅台 80put")
    assert done.exit_code == 3 and "NO_WORKER" in done.stderr
    assert {asked.text for asked in gateway.asked} == {"500 平值call"}


async def test_nothing_to_read_is_wrong_use(cli: Cli) -> None:
    for stdin in ("", "\n \n", b"\xff\xfe"):
        done = await cli("otc", stdin=stdin)
        assert done.exit_code == 2 and "text" in done.stderr
