"""`finmesh send` and `finmesh list` reach the gateway with who we are, what we mean and why, and say the answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from finmesh.risk.v1 import list_entry_pb2, transaction_pb2
from meshkit.errors import (
    Conflict,
    DataCorrupted,
    FieldViolation,
    InvalidArgument,
    MeshError,
    Overloaded,
    PermissionDenied,
    Unavailable,
)

from .conftest import TENANT, Cli, FakeGateway

PAYMENT = ("send", "--amount", "1,280.50", "--customer", "cus-1", "--account", "acc-1", "--counterparty", "acc-2")


async def test_a_transfer_from_options(cli: Cli, gateway: FakeGateway) -> None:
    result = await cli(*PAYMENT)
    assert result.exit_code == 0, result.output
    (asked,) = gateway.asked
    sent = asked.transaction
    assert (sent.tenant, sent.amount.amount_minor, sent.amount.currency_code) == (TENANT, 128_050, "CNY")
    assert sent.channel == transaction_pb2.CHANNEL_TRANSFER
    assert sent.counterparty_account_id == "acc-2"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", sent.identity.uetr)
    assert "1,280.50 CNY" in result.output
    assert "review" in result.output
    assert "0.731205" in result.output
    assert "Many payers send to one receiving account [R_FAN_IN +1.25]" in result.output
    assert "R_NEWER_THAN_THE_COMMAND" in result.output
    assert "0af7651916cd43dd8448eb211c80319c" in result.output


async def test_a_time_in_the_bank_s_zone(cli: Cli, gateway: FakeGateway) -> None:
    assert (await cli(*PAYMENT, "--at", "2026-11-22T09:30:00+08:00")).exit_code == 0
    assert gateway.asked[0].transaction.event_time.ToJsonString() == "2026-11-22T01:30:00Z"


async def test_token_and_purpose_travel(cli: Cli, gateway: FakeGateway, certs: Path) -> None:
    await cli(*PAYMENT, purpose="model-validation")
    (headers,) = gateway.headers
    assert headers["authorization"] == "Bearer " + (certs / "token.jwt").read_text()
    assert headers["x-finmesh-purpose"] == "model-validation"
    assert "traceparent" not in headers  # nobody records here: the gateway begins the trace


async def test_the_answer_in_chinese(cli: Cli) -> None:
    result = await cli(*PAYMENT, language="zh")
    assert "人工复核" in result.output
    assert "多个付款方集中转入同一账户" in result.output
    assert "处理结果" in result.output


async def test_a_card_payment_from_json(cli: Cli, gateway: FakeGateway, tmp_path: Path) -> None:
    file = tmp_path / "payment.json"
    file.write_text(
        json.dumps({"channel": "CHANNEL_ECOMMERCE", "amount": {"currencyCode": "JPY", "amountMinor": "5000"}, "customerId": "客户-1"})
    )
    result = await cli("send", "--file", str(file), "--json")
    assert result.exit_code == 0, result.output
    (asked,) = gateway.asked
    assert asked.transaction.customer_id == "客户-1"
    assert asked.transaction.tenant == TENANT
    assert len(asked.transaction.identity.card.stan) == 6
    assert json.loads(result.output)["outcome"] == "OUTCOME_REVIEW"


async def test_samples_are_payments_of_their_own(cli: Cli, gateway: FakeGateway) -> None:
    result = await cli("send", "--sample", "2")
    assert result.exit_code == 0, result.output
    first, second = (asked.transaction for asked in gateway.asked)
    assert first.tenant == second.tenant == TENANT
    assert first.identity != second.identity
    assert first.amount.amount_minor > 0
    assert result.output.count("0.731205") == 2


async def test_a_repeated_request_says_so(cli: Cli, gateway: FakeGateway) -> None:
    gateway.replayed = True
    assert "the stored decision was returned" in (await cli(*PAYMENT)).output


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidArgument("wrong", violations=(FieldViolation("transaction.amount", "must be positive"),)), 2),
        (PermissionDenied("not allowed", reason="POLICY_DENIED"), 2),
        (Conflict("other content"), 2),
        (Overloaded("busy", retry_after_s=1.5), 3),
        (Unavailable("down"), 3),
        (MeshError("boom"), 3),
        (DataCorrupted("bytes differ"), 1),
    ],
)
async def test_errors_are_one_message_and_a_status(cli: Cli, gateway: FakeGateway, error: MeshError, status: int) -> None:
    gateway.failure = error
    result = await cli(*PAYMENT)
    assert result.exit_code == status
    assert result.stderr.startswith("finmesh: ")
    assert error.reason in result.stderr
    assert "Traceback" not in result.output
    for violation in error.violations:
        assert f"{violation.field}: {violation.description}" in result.stderr
    if error.retry_after_s:
        assert "1.5 s" in result.stderr


async def test_nobody_there(cli: Cli) -> None:
    result = await cli(*PAYMENT, gateway="127.0.0.1:1")
    assert result.exit_code == 3
    assert "UNAVAILABLE" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send",), "--amount"),
        (("send", "--amount", "1.005", "--customer", "c", "--account", "a"), "at most 2 decimals"),
        (("send", "--amount", "0.5", "--currency", "JPY", "--customer", "c", "--account", "a"), "at most 0 decimals"),
        (("send", "--amount", "-1", "--customer", "c", "--account", "a"), "no amount"),
        (("send", "--amount", "much", "--customer", "c", "--account", "a"), "no amount"),
        (("send", "--file", "/nowhere.json"), "cannot read"),
        ((*PAYMENT, "--at", "yesterday"), "yesterday is no time"),
        ((*PAYMENT, "--channel", "card", "--uetr", "x"), "UETR belongs to a transfer"),
    ],
)
async def test_wrong_use_is_said_before_anything_is_sent(cli: Cli, gateway: FakeGateway, arguments: tuple[str, ...], words: str) -> None:
    result = await cli(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not gateway.asked


async def test_what_is_no_tenant_is_said_before_anything_is_sent(cli: Cli, gateway: FakeGateway, tmp_path: Path) -> None:
    file = tmp_path / "付款.json"
    file.write_text('{"tenant": "甲银行"}', encoding="utf-8")
    listing = ("list", "block", "device", "dev-9")
    for arguments, options in ((PAYMENT, {"tenant": "甲银行"}), (("send", "--file", str(file)), {}), (listing, {"tenant": "bank_a"})):
        result = await cli(*arguments, **options)
        assert result.exit_code == 2
        assert "must match [a-z0-9-]{1,40}" in result.stderr.replace("\n", " ")
    assert not gateway.asked


async def test_json_with_an_unknown_field(cli: Cli, gateway: FakeGateway, tmp_path: Path) -> None:
    file = tmp_path / "payment.json"
    file.write_text('{"amuont": {}}')
    result = await cli("send", "--file", str(file))
    assert result.exit_code == 2
    assert "amuont" in result.stderr
    assert not gateway.asked


@pytest.mark.parametrize("missing", ["client.pem", "token.jwt"])
async def test_a_missing_credential_is_named(cli: Cli, certs: Path, tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    for name in {"authority.pem", "client.pem", "client.key", "token.jwt"} - {missing}:
        (folder / name).write_bytes((certs / name).read_bytes())
    result = await cli(*PAYMENT, certs=str(folder))
    assert result.exit_code == 2
    assert missing in result.stderr


async def test_block_and_unblock(cli: Cli, gateway: FakeGateway) -> None:
    result = await cli("list", "block", "device", "dev-9", "--days", "30", "--comment", "盗刷设备")
    assert result.exit_code == 0, result.output
    entry = gateway.asked[0].entry
    assert (entry.kind, entry.entity, entry.entity_id) == (list_entry_pb2.LIST_KIND_BLOCK, list_entry_pb2.LISTED_ENTITY_DEVICE, "dev-9")
    assert (entry.tenant, entry.author, entry.comment, entry.removed) == (TENANT, "core-banking", "盗刷设备", False), "the token says who"
    assert entry.expires_at.seconds > 0
    assert (await cli("list", "block", "device", "dev-9", "--remove")).exit_code == 0
    assert gateway.asked[1].entry.removed


async def test_trust_names_both_sides(cli: Cli, gateway: FakeGateway) -> None:
    assert (await cli("list", "trust", "cus-1", "acc-2")).exit_code == 0
    entry = gateway.asked[0].entry
    assert entry.kind == list_entry_pb2.LIST_KIND_TRUSTED_PAYEE
    assert (entry.customer_id, entry.entity_id, entry.entity) == ("cus-1", "acc-2", list_entry_pb2.LISTED_ENTITY_COUNTERPARTY)
