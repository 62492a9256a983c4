"""`finmesh decision` believes neither the gateway nor the log: whatever was changed on the way is status 1."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from finmesh.audit.v1 import audit_record_pb2
from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import transaction_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from translog.note import Signer

from .conftest import TENANT, AuditLog, Cli, FakeGateway

UETR = "8a562c67-ca16-48ba-b074-65581be6f011"


def transfer(uetr: str = UETR) -> transaction_pb2.TransactionAuthorizationRequested:
    return transaction_pb2.TransactionAuthorizationRequested(
        tenant=TENANT,
        identity=transaction_pb2.TransactionIdentity(uetr=uetr),
        channel=transaction_pb2.CHANNEL_TRANSFER,
        event_time=Timestamp(seconds=1_795_000_000),
        amount=Money(currency_code="CNY", amount_minor=12_345),
    )


@pytest.fixture
def decision_id(gateway: FakeGateway) -> str:
    """A decision with others before and after it in the log."""
    for number in range(3):
        gateway.decide(transfer(f"8a562c67-ca16-48ba-b074-65581be6f10{number}"))
    wanted = gateway.decide(transfer()).decision_id
    for number in range(3, 7):
        gateway.decide(transfer(f"8a562c67-ca16-48ba-b074-65581be6f10{number}"))
    return wanted


async def test_everything_is_told_and_proven(cli: Cli, decision_id: str, signer: Signer) -> None:
    result = await cli("decision", decision_id, "--log-key", str(signer.verifier))
    assert result.exit_code == 0, result.output
    for words in (
        decision_id,
        "review",
        "decline",
        "R_FAN_IN",
        "mule-fan-in",
        "123.45 CNY",
        "r7",
        "#7",
        "proven in a log of 17 leaves",
        "0.3 / 0.55",
    ):
        assert words in result.output
    assert "--log-key" not in result.output


async def test_by_uetr_and_in_chinese(cli: Cli, decision_id: str) -> None:
    result = await cli("decision", "--uetr", UETR, language="zh")
    assert result.exit_code == 0, result.output
    assert decision_id in result.output
    assert "已在含 17 条记录的日志中验证" in result.output
    assert "请用 --log-key 固定" in result.output


async def test_as_json(cli: Cli, decision_id: str) -> None:
    result = await cli("decision", decision_id, "--json")
    assert json.loads(result.output)["decisionId"] == decision_id


async def test_unknown(cli: Cli) -> None:
    result = await cli("decision", "nobody-knows")
    assert result.exit_code == 2
    assert "DECISION_UNKNOWN" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("some-id", "--uetr", UETR)])
async def test_exactly_one_name(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert (await cli("decision", *arguments)).exit_code == 2


async def test_not_yet_in_the_log(cli: Cli, gateway: FakeGateway) -> None:
    gateway.audits = False
    wanted = gateway.decide(transfer()).decision_id
    result = await cli("decision", wanted, "--wait-s", "0")
    assert result.exit_code == 3
    assert "not in the audit log" in result.stderr


async def test_a_record_that_comes_late_is_waited_for(cli: Cli, gateway: FakeGateway, audit_log: AuditLog) -> None:
    """The log is empty when first asked, and filled by the time of the second question."""
    late: list[audit_record_pb2.AuditRecord] = []
    gateway.audits = False
    gateway.forge = late.append
    wanted = gateway.decide(transfer()).decision_id
    ask = gateway._note

    def note(request: object) -> None:
        ask(request)
        if late and isinstance(gateway.asked[-1], audit.ListRecordsRequest) and len(gateway.asked) > 3:
            audit_log.write(late.pop())

    gateway._note = note  # type: ignore[method-assign]
    result = await cli("decision", wanted, "--wait-s", "30")
    assert result.exit_code == 0, result.output + result.stderr
    assert not late


def _flip_hash(response: audit.GetInclusionProofResponse) -> None:
    response.hashes[0] = bytes([response.hashes[0][0] ^ 1]) + response.hashes[0][1:]


def _flip_body(response: audit.GetInclusionProofResponse) -> None:
    response.leaf.body = response.leaf.body[:-1] + bytes([response.leaf.body[-1] ^ 1])


def _other_leaf(response: audit.GetInclusionProofResponse) -> None:
    response.leaf.index += 1


def _flip_note(response: audit.GetInclusionProofResponse) -> None:
    response.checkpoint = response.checkpoint.replace("\n17\n", "\n18\n")


def _other_size(response: audit.GetInclusionProofResponse) -> None:
    response.tree_size -= 1


@pytest.mark.parametrize("spoil", [_flip_hash, _flip_body, _other_leaf, _flip_note, _other_size])
async def test_a_spoiled_proof_is_tampering(
    cli: Cli, gateway: FakeGateway, decision_id: str, spoil: Callable[[audit.GetInclusionProofResponse], None]
) -> None:
    gateway.spoil = spoil
    result = await cli("decision", decision_id)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("finmesh: ")


async def test_a_log_of_another_key_is_tampering(cli: Cli, decision_id: str) -> None:
    other = Signer("audit.finmesh.test/log", bytes(range(1, 33)))
    assert (await cli("decision", decision_id, "--log-key", str(other.verifier))).exit_code == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outcome", "OUTCOME_APPROVE"),
        ("model_version", "4"),
        ("rule_set_version", "r8"),
        ("reason_codes", ["R_FAN_OUT"]),
        ("model_digest", "cd" * 8),
        ("model_sha256", b"\xac" * 32),
    ],
)
async def test_an_audit_record_that_says_otherwise_is_tampering(cli: Cli, gateway: FakeGateway, field: str, value: object) -> None:
    def forge(record: audit_record_pb2.AuditRecord) -> None:
        record.ClearField(field)  # type: ignore[arg-type]
        record.MergeFrom(audit_record_pb2.AuditRecord(**{field: value}))  # type: ignore[arg-type]

    gateway.forge = forge
    result = await cli("decision", gateway.decide(transfer()).decision_id)
    assert result.exit_code == 1
    assert "differ in" in result.stderr


async def test_another_decision_than_asked_for_is_tampering(cli: Cli, gateway: FakeGateway, decision_id: str) -> None:
    gateway.stored["swapped"] = gateway.stored[decision_id]
    assert (await cli("decision", "swapped")).exit_code == 1


async def test_export_then_verify_offline(cli: Cli, gateway: FakeGateway, decision_id: str, signer: Signer, tmp_path: Path) -> None:
    record = gateway.audit_log.log.reader.find(decision_id=decision_id, tenant=TENANT)[0].event_id
    key, bundle = tmp_path / "log.key", tmp_path / "proof.json"
    key.write_text(f"{signer.verifier}\n")
    assert (await cli("proof", "export", record, "-o", str(bundle), "--log-key", str(key))).exit_code == 0
    result = await cli("verify", "inclusion", str(bundle), "--log-key", str(key), gateway="127.0.0.1:1")
    assert result.exit_code == 0, result.stderr
    assert "leaf 7" in result.output
    assert all(digest * 32 in result.output for digest in ("ab", "cd", "ef")) and "0.2.0+3f2c1ab" in result.output
    damaged = json.loads(bundle.read_text())
    damaged["index"] = 2
    bundle.write_text(json.dumps(damaged))
    assert (await cli("verify", "inclusion", str(bundle), "--log-key", str(key))).exit_code == 1


async def test_a_kept_checkpoint_and_growth(cli: Cli, gateway: FakeGateway, decision_id: str, signer: Signer, tmp_path: Path) -> None:
    kept, bundle, key = tmp_path / "kept.note", tmp_path / "growth.json", str(signer.verifier)
    assert (await cli("proof", "checkpoint", "-o", str(kept), "--log-key", key)).exit_code == 0
    gateway.decide(transfer("8a562c67-ca16-48ba-b074-65581be6f200"))
    assert (await cli("proof", "export", "--since", str(kept), "-o", str(bundle), "--log-key", key)).exit_code == 0
    result = await cli("verify", "consistency", str(bundle), "--log-key", key, "--pinned", str(kept))
    assert result.exit_code == 0, result.stderr
    assert "grew from 17 to 19 leaves" in result.output
    later = tmp_path / "later.note"
    assert (await cli("proof", "checkpoint", "-o", str(later), "--log-key", key)).exit_code == 0
    assert (await cli("verify", "consistency", str(bundle), "--log-key", key, "--pinned", str(later))).exit_code == 1


async def test_a_spoiled_proof_is_not_exported(cli: Cli, gateway: FakeGateway, decision_id: str, tmp_path: Path) -> None:
    gateway.spoil = _flip_hash
    record = gateway.audit_log.log.reader.find(decision_id=decision_id, tenant=TENANT)[0].event_id
    assert (await cli("proof", "export", record, "-o", str(tmp_path / "proof.json"))).exit_code == 1
    assert not (tmp_path / "proof.json").exists()
