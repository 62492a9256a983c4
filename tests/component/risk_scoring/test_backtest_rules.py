"""Rules on history through real gRPC, store and records: what a test says of a rule set is what happens when that set decides.

The event log is in memory in one run and a real Kafka in the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import decision_pb2, risk_scoring_service_pb2_grpc, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.errors import InvalidArgument, PermissionDenied
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.metadata import TENANT as TENANT_HEADER
from meshkit.rpc.server import MeshServer
from meshkit.testing.serving import serving
from risk_scoring import translate
from risk_scoring.adapters.kafka_decision_history import KafkaDecisionHistory
from risk_scoring.domain.history import PastDecision, PastLabel
from risk_scoring.servicer import RiskScoringServicer
from risk_scoring.translate.messages import LABEL_TOPIC, account_partition
from risk_scoring.translate.rule_backtests import past_decision
from risk_scoring.usecases import backtest_rules

from tests.protocol.conftest import fresh  # noqa: F401  a fixture
from tests.protocol.desks import PARTITIONS, Desk, desk
from tests.protocol.loops import OUTPUT, send
from tests.protocol.makers import DAY, NOW, TENANT, identifier, payment, request, transfer
from tests.unit.risk_scoring.rule_sets import changed

COUNT = 300
TRIAL = changed("trial", amount="> 5_000", channel='"transfer"', rule='"request.transfer_on_trial"')
KINDS = [pytest.param("memory"), pytest.param("kafka", marks=pytest.mark.stack)]


def payments() -> list[transaction_pb2.TransactionAuthorizationRequested]:
    """A few customers' payments and transfers within two hours, from 10 to 10,000 and more, some at night by their own clock."""
    return [
        (payment, transfer)[n % 2](
            n,
            event_time_s=NOW + 20 * n,
            amount=Money(currency_code="CNY", amount_minor=1_000 + (n * 7_919) % 1_200_000),
            customer_id=f"CUST-{n % 41}",
            account_id=f"ACCT-{n % 41}",
            device_id=f"DEVICE-{n % 41}" if n % 5 else "",
            utc_offset_minutes=(480, -480, 60)[n % 3],
        )
        for n in range(COUNT)
    ]


def labels(of: Sequence[transaction_pb2.TransactionAuthorizationRequested]) -> list[transaction_pb2.LabelReported]:
    """Every seventh is fraud; the first of them was a mistake, another is told twice."""
    made = [
        transaction_pb2.LabelReported(
            label_id=f"L{n}", type="LABEL_TYPE_CHARGEBACK", known_at=Timestamp(seconds=NOW + 400), transaction=message, reporter="scheme"
        )
        for n, message in enumerate(of)
        if n % 7 == 1
    ]
    mistake = transaction_pb2.LabelReported()
    mistake.CopyFrom(made[0])
    mistake.label_id, mistake.retracted = "L-mistake", True
    return [*made, mistake, made[1]]


class Memory:
    """DecisionHistory on the desk's event log, records parsed as the real one does."""

    def __init__(self, at: Desk, reported: Sequence[transaction_pb2.LabelReported]) -> None:
        self._at = at
        self._reported = reported

    async def partitions(self) -> Sequence[int]:
        """As the log."""
        return await self._at.log.partitions()

    async def decisions(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastDecision], None]:
        """All of a partition."""
        async for records, _ in self._at.log.read(partition, 0):
            yield [past_decision(record.decision) for record in records]

    async def labels(self, partition: int, since_s: float) -> AsyncGenerator[Sequence[PastLabel], None]:
        """All in the first partition; they are chargebacks."""
        for each in self._reported if partition == 0 else ():
            found = identifier().observation(translate.transaction(each.transaction)).decision_id
            yield [PastLabel(each.label_id, found, -1 if each.retracted else 1, each.known_at.seconds)]


async def decided(at: Desk) -> list[decision_pb2.TransactionDecided]:
    """Decide all payments in batches of 50 and write the records to the desk's log, one of them twice."""
    records = []
    messages = payments()
    for start in range(0, COUNT, 50):
        at.shelf.clock.advance(1_000)
        verdicts = await at.decide(*(request(message) for message in messages[start : start + 50]))
        await at.log.write(verdicts)
        records += [decision_pb2.TransactionDecided.FromString(verdict.decision) for verdict in verdicts]
    at.log.append(messages[0].account_id, records[0].SerializeToString())
    return records


@asynccontextmanager
async def history(kind: str, at: Desk, fixtures: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """What was decided and labelled: in memory or in Kafka, with bytes that are no record among them."""
    reported = labels(payments())
    if kind == "memory":
        yield Memory(at, reported)
        return
    kafka = await fixtures.getfixturevalue("fresh")()
    for partition in range(PARTITIONS):
        await send(kafka, b"\xff\xff no protobuf", *at.log.decisions[partition], topic=OUTPUT, partition=partition)
        own = [each for each in reported if account_partition(each.transaction.account_id, PARTITIONS) == partition]
        await send(kafka, *(each.SerializeToString() for each in own), b"", topic=LABEL_TOPIC, partition=partition)
    yield KafkaDecisionHistory(kafka, identifier())


@asynccontextmanager
async def door(at: Desk, past: Any) -> AsyncIterator[Any]:
    """A stub of the service whose other RPCs are not of this test."""
    tested = backtest_rules.BacktestRules(past, at.policies.current, at.shelf.clock, DAY)
    servicer = RiskScoringServicer(Mock(), Mock(), Mock(), Mock(), tested, Mock(), identifier(), at.shelf.clock, DAY)
    server = MeshServer("127.0.0.1:0")
    risk_scoring_service_pb2_grpc.add_RiskScoringServiceServicer_to_server(servicer, server)
    async with serving(server):
        channel = MeshChannel(server.address)
        try:
            yield risk_scoring_service_pb2_grpc.RiskScoringServiceStub(channel)
        finally:
            await channel.close()


def asked(rule_set: bytes = TRIAL, **changes: Any) -> pb.BacktestRulesRequest:
    return pb.BacktestRulesRequest(**({"tenant": TENANT, "rule_set": rule_set, "since": Timestamp(seconds=NOW)} | changes))


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    path = tmp_path / "trial.json"
    path.write_bytes(TRIAL)
    return path


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_test_says_is_what_then_happens(kind: str, private_redis: Any, trial: Path, request: pytest.FixtureRequest) -> None:
    async with desk(private_redis) as at, desk(private_redis) as later:
        before = await decided(at)
        later.policies._rules_path = trial
        assert later.policies.reload_if_changed()
        after = await decided(later)
        async with history(kind, at, request) as past, door(at, past) as stub:
            report = await stub.BacktestRules(asked(), timeout=30.0)
    assert (report.decisions, report.left_out, report.complete) == (COUNT, 0, True)
    assert (report.made_by_present, report.reproduced) == (COUNT, COUNT)
    pairs = Counter((a.recommended_outcome, b.recommended_outcome) for a, b in zip(before, after, strict=True))
    moved = {(move.present, move.candidate): move.count for move in report.moved}
    assert moved == {pair: count for pair, count in pairs.items() if pair[0] != pair[1]}
    assert sum(moved.values()) > 20, "the rule on trial must change something"
    frauds = [n for n in range(COUNT) if n % 7 == 1][1:]
    for told, records in ((report.present, before), (report.candidate, after)):
        counts = Counter(record.recommended_outcome for record in records)
        assert {each.outcome: each.count for each in told.outcomes} == {n: counts[n] for n in range(1, 5)}
        caught = {n for n in frauds if records[n].recommended_outcome > decision_pb2.OUTCOME_APPROVE}
        assert (told.fraud_caught, told.fraud_missed) == (len(caught), len(frauds) - len(caught))
        assert told.fraud_caught_minor == sum(records[n].delta.reference_amount_minor for n in caught)
        hits = Counter(rule for record in records for rule in record.rule_hits)
        assert {each.rule: each.hits for each in told.rules if each.hits} == hits
    assert report.fraud_gained > 0 and report.fraud_lost == 0
    assert report.last_decided.seconds - report.first_decided.seconds == 5_000


async def test_rules_on_trial_count_the_same_and_change_nothing(private_redis: Any, trial: Path, request: pytest.FixtureRequest) -> None:
    counted: Counter[tuple[int, int]] = Counter()
    versions: set[str] = set()

    def observe(version: str, changes: Any) -> None:
        versions.add(version)
        counted.update(changes)

    async with desk(private_redis) as at, desk(private_redis) as shadowed:
        shadowed.decider._combiner._shadow = observe
        shadowed.policies._shadow_path = trial
        assert shadowed.policies.reload_if_changed()
        assert await decided(shadowed) == await decided(at)
        async with history("memory", at, request) as past, door(at, past) as stub:
            report = await stub.BacktestRules(asked(), timeout=30.0)
    assert {pair: count for pair, count in counted.items() if pair[0] != pair[1]} == {
        (move.present, move.candidate): move.count for move in report.moved
    }
    assert sum(counted.values()) == COUNT
    assert versions == {report.candidate.version}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_most_and_since(kind: str, private_redis: Any, request: pytest.FixtureRequest) -> None:
    async with desk(private_redis) as at:
        await decided(at)
        async with history(kind, at, request) as past, door(at, past) as stub:
            some = await stub.BacktestRules(asked(max_decisions=40), timeout=30.0)
            late = await stub.BacktestRules(asked(since=Timestamp(seconds=NOW + 3_001)), timeout=30.0)
    assert (some.decisions, some.complete) == (40, False)
    assert (late.decisions, late.complete) == (150, True)


async def test_typed_refusals(private_redis: Any, request: pytest.FixtureRequest) -> None:
    async with desk(private_redis) as at, history("memory", at, request) as past, door(at, past) as stub:

        async def refused(message: pb.BacktestRulesRequest, kind: type[Exception], **options: Any) -> Any:
            with pytest.raises(kind) as caught:
                await stub.BacktestRules(message, timeout=10.0, **options)
            return caught.value

        wrong = await refused(asked(changed("x", amount="> amunt")), InvalidArgument)
        assert wrong.reason == "INVALID_RULE_SET"
        assert [violation.field for violation in wrong.violations] == ["Request 请求.row 8.amount"]
        assert (await refused(asked(since=None), InvalidArgument)).reason == "INVALID_RULE_TEST"
        await refused(asked(), PermissionDenied, metadata=((TENANT_HEADER, "bank-b"),))
