"""`finmesh rules test`: what it asks, what it tells, how it fails."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh_cli.commands.rules import moment
from finmesh_cli.failures import UsageError
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.errors import FieldViolation, InvalidArgument, Overloaded

from .conftest import NOW_MS, TENANT, Cli, FakeGateway


def rule_set(version: str, counts: tuple[int, ...], caught: int, rules: dict[str, tuple[int, int]]) -> risk.RuleSetReport:
    return risk.RuleSetReport(
        version=version,
        outcomes=[risk.OutcomeTotal(outcome=n + 1, count=count, amount_minor=count * 10_050) for n, count in enumerate(counts)],  # type: ignore[arg-type]
        fraud_caught=caught,
        fraud_missed=9 - caught,
        fraud_caught_minor=caught * 70_000,
        fraud_missed_minor=(9 - caught) * 70_000,
        genuine_with_friction=counts[2] + counts[3] - caught,
        rules=[risk.RuleHits(rule=rule, hits=hits, fraud_hits=frauds) for rule, (hits, frauds) in rules.items()],
    )


@pytest.fixture
def report(gateway: FakeGateway) -> risk.BacktestRulesResponse:
    gateway.rule_test = risk.BacktestRulesResponse(
        present=rule_set("7+aaaa", (1_960, 20, 15, 5), 4, {"habit.night": (10, 1), "card.test": (5, 5), "old.rule": (3, 0)}),
        candidate=rule_set("8+bbbb", (1_900, 20, 70, 10), 7, {"habit.night": (70, 4), "card.test": (5, 5), "new.rule": (2, 2)}),
        moved=[
            risk.OutcomeMove(present="OUTCOME_REVIEW", candidate="OUTCOME_DECLINE", count=5),
            risk.OutcomeMove(present="OUTCOME_APPROVE", candidate="OUTCOME_REVIEW", count=60),
        ],
        fraud_gained=4,
        fraud_lost=1,
        currency_code="CNY",
        decisions=2_000,
        complete=True,
        first_decided=Timestamp(seconds=NOW_MS // 1000 - 3600),
        last_decided=Timestamp(seconds=NOW_MS // 1000),
        made_by_present=1_500,
        reproduced=1_500,
    )
    return gateway.rule_test


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "规则.json"
    path.write_bytes(b'{"nodes": []}')
    return str(path)


async def test_everything_is_told(cli: Cli, gateway: FakeGateway, report: risk.BacktestRulesResponse, table: str) -> None:
    before = int(time.time())
    result = await cli("rules", "test", table, "--since", "7d", "--max-decisions", "5000")
    assert result.exit_code == 0, result.output + result.stderr
    (asked,) = gateway.asked
    assert (asked.tenant, asked.rule_set, asked.max_decisions) == (TENANT, b'{"nodes": []}', 5000)
    assert 0 <= asked.since.seconds - (before - 7 * 86_400) < 60
    rows = [line.split() for line in result.output.splitlines()]
    assert ["approve", "1,960", "1,900", "-60", "196,980.00", "CNY", "190,950.00", "CNY"] in rows
    assert ["approve", "review", "60"] in rows
    assert rows.index(["approve", "review", "60"]) < rows.index(["review", "decline", "5"])
    assert ["caught", "4", "7", "+3"] in rows
    assert ["missed", "5", "2", "-3"] in rows
    assert ["amount", "missed", "3,500.00", "CNY", "1,400.00", "CNY"] in rows
    assert ["newly", "caught", "+4"] in rows and ["no", "longer", "caught", "-1"] in rows
    assert ["habit.night", "10", "1", "70", "4", "+60"] in rows
    assert ["old.rule", "3", "0", "0", "0", "-3"] in rows and ["new.rule", "0", "0", "2", "2", "+2"] in rows
    assert "card.test" not in result.output, "its hits did not change"
    assert "7+aaaa" in result.output and "8+bbbb" in result.output
    for warning in ("left out", "not everything", "come out otherwise"):
        assert warning not in result.output


async def test_what_is_wrong_with_the_evidence_is_said(cli: Cli, report: risk.BacktestRulesResponse, table: str) -> None:
    report.left_out, report.complete, report.reproduced = 12, False, 1_490
    result = await cli("rules", "test", table)
    assert "left out: records without what rules read: 12" in result.output
    assert "not everything since then was looked at" in result.output
    assert "10 of 1,500 decisions" in result.output


async def test_in_chinese(cli: Cli, report: risk.BacktestRulesResponse, table: str) -> None:
    result = await cli("rules", "test", table, language="zh")
    assert result.exit_code == 0, result.output
    for word in ("现行", "候选", "结果变动", "已知欺诈", "新增拦截", "命中变动最大的规则", "人工复核"):
        assert word in result.output
    assert "approve" not in result.output


async def test_nothing_recorded_and_nothing_moved(cli: Cli, gateway: FakeGateway, report: risk.BacktestRulesResponse, table: str) -> None:
    del report.moved[:]
    assert "nothing would change" in (await cli("rules", "test", table)).output
    gateway.rule_test = risk.BacktestRulesResponse(currency_code="CNY", complete=True)
    assert "no decisions were recorded since then" in (await cli("rules", "test", table)).output


async def test_as_json(cli: Cli, report: risk.BacktestRulesResponse, table: str) -> None:
    told = json.loads((await cli("rules", "test", table, "--json")).output)
    assert told["moved"][1] == {"present": "OUTCOME_APPROVE", "candidate": "OUTCOME_REVIEW", "count": "60"}
    assert told["leftOut"] == "0"


async def test_a_table_that_is_wrong_is_named_with_its_place(cli: Cli, gateway: FakeGateway, table: str) -> None:
    violation = FieldViolation("habit[3].amount", "unknown columns: amunt")
    gateway.failure = InvalidArgument("the rule set is invalid", reason="INVALID_RULE_SET", violations=(violation,))
    result = await cli("rules", "test", table)
    assert result.exit_code == 2
    assert "INVALID_RULE_SET" in result.stderr and "habit[3].amount: unknown columns: amunt" in result.stderr


async def test_a_place_that_the_message_names_is_not_told_twice(cli: Cli, gateway: FakeGateway, table: str) -> None:
    violation = FieldViolation("规则.row 1.hour", "column hour is a number, not a text")
    gateway.failure = InvalidArgument(f"{violation.field}: {violation.description}", reason="INVALID_RULE_SET", violations=(violation,))
    result = await cli("rules", "test", table)
    assert (result.exit_code, result.stderr) == (2, "finmesh: 规则.row 1.hour: column hour is a number, not a text [INVALID_RULE_SET]\n")


@pytest.mark.parametrize("content", [b"", b"x" * (256 * 1024 + 1)])
async def test_a_file_that_is_no_table_by_its_size(cli: Cli, gateway: FakeGateway, table: str, content: bytes) -> None:
    Path(table).write_bytes(content)
    result = await cli("rules", "test", table)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert not gateway.asked


async def test_another_test_runs(cli: Cli, gateway: FakeGateway, table: str) -> None:
    gateway.failure = Overloaded("another test of rules runs", reason="RULE_TEST_RUNNING", retry_after_s=5.0)
    result = await cli("rules", "test", table)
    assert result.exit_code == 3
    assert "try again in 5 s" in result.stderr


@pytest.mark.parametrize("since", ["yesterday", "24", "0h", "2999-01-01"])
async def test_times_that_are_none(cli: Cli, gateway: FakeGateway, table: str, since: str) -> None:
    result = await cli("rules", "test", table, "--since", since)
    assert result.exit_code == 2
    assert not gateway.asked


def test_moments() -> None:
    now = 1_795_000_000.5
    assert moment("90m", now) == 1_795_000_000 - 5_400
    assert moment("2d", now) == 1_795_000_000 - 2 * 86_400
    assert moment("2026-11-01", now) == 1_793_491_200
    assert moment("2026-11-01T08:00:00+08:00", now) == 1_793_491_200
    with pytest.raises(UsageError):
        moment("2026-13-01", now)
