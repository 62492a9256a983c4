"""RiskScoringServicer in process with real gRPC: store, rules, records are real; the event log is in memory, the models are fixed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import AsyncMock

import pytest
from finmesh.common.v1.money_pb2 import Money
from finmesh.risk.v1 import decision_pb2, list_entry_pb2, risk_scoring_service_pb2_grpc, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as pb
from meshkit.audit.emit import AuditEmitter
from meshkit.audit.records import AuditRecords
from meshkit.errors import Conflict, InvalidArgument, MeshError, NotFound, PermissionDenied, Unavailable
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.metadata import TENANT as TENANT_HEADER
from meshkit.rpc.server import MeshServer
from meshkit.testing.events import MemoryEvents
from meshkit.testing.keys import batch_signer, commitment_ring
from meshkit.testing.serving import serving
from risk_scoring.adapters.kafka_publisher import KafkaPublisher
from risk_scoring.adapters.lxml_pacs008 import parse_document
from risk_scoring.servicer import RiskScoringServicer
from risk_scoring.translate.list_changes import ListChangeCodec
from risk_scoring.usecases.change_list_entry import ChangeListEntry
from risk_scoring.usecases.get_decision import GetDecision
from risk_scoring.usecases.score_pacs008 import ScorePacs008

from tests.protocol.desks import Desk, desk
from tests.protocol.makers import DAY, KEYS, NOW, TENANT, payment, uetr


@dataclass
class Door:
    """A served desk."""

    desk: Desk
    stub: Any
    events: MemoryEvents

    async def score(self, message: transaction_pb2.TransactionAuthorizationRequested, **options: Any) -> pb.ScoreTransactionResponse:
        """Call ScoreTransaction."""
        response: pb.ScoreTransactionResponse = await self.stub.ScoreTransaction(
            pb.ScoreTransactionRequest(transaction=message), timeout=options.pop("timeout", 5.0), **options
        )
        return response


@pytest.fixture
def open_door(private_redis) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Door]:
        async with desk(private_redis, **options) as at:
            events = MemoryEvents()
            emitter = AuditEmitter(events, "risk-scoring/rpc/r1", batch_signer(), "", at.health)  # type: ignore[arg-type]
            records = AuditRecords("risk-scoring", "development", at.shelf.clock)
            servicer = RiskScoringServicer(
                score=at.score,
                score_pacs008=ScorePacs008(at.score),
                get_decision=GetDecision(at.shelf.store, at.stream._usecase._recall),
                change_list_entry=ChangeListEntry(
                    KafkaPublisher(events, emitter, KEYS, ""), ListChangeCodec(records, KEYS, commitment_ring())
                ),
                backtest_rules=AsyncMock(),  # has a component test of its own
                parse_pacs008=parse_document,
                identifier=at.stream._identifier,
                clock=at.shelf.clock,
                dedupe_horizon_s=DAY,
            )
            server = MeshServer("127.0.0.1:0")
            risk_scoring_service_pb2_grpc.add_RiskScoringServiceServicer_to_server(servicer, server)
            async with serving(server):
                channel = MeshChannel(server.address)
                try:
                    yield Door(at, risk_scoring_service_pb2_grpc.RiskScoringServiceStub(channel), events)
                finally:
                    await channel.close()

    return opened


async def failure(call: Any) -> MeshError:
    """The typed error of a call that must fail."""
    with pytest.raises(MeshError) as caught:
        await call
    return caught.value


async def test_a_decision_is_recorded_and_returned_with_its_bytes(open_door) -> None:
    async with open_door() as door:
        door.desk.served.scores = [0.123456789]
        response = await door.score(payment(1))
        record = decision_pb2.TransactionDecided.FromString(response.decision_record)
        assert door.desk.log.all() == [response.decision_record]
        assert (response.decision_id, response.outcome) == (record.decision_id, record.outcome)
        assert response.score == record.score == 0.123457
        assert not response.replayed
        again = await door.score(payment(1))
        assert again.replayed and again.decision_record == response.decision_record


async def test_conflict(open_door) -> None:
    async with open_door() as door:
        await door.score(payment(1))
        error = await failure(door.score(payment(1, amount=Money(currency_code="CNY", amount_minor=1))))
        assert isinstance(error, Conflict) and error.reason == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (payment(1, event_time_s=NOW - DAY - 1), "TOO_OLD"),
        (payment(1, event_time_s=NOW + 301), "IN_THE_FUTURE"),
        (payment(1, tenant="Bank A"), "INVALID_TRANSACTION"),
        (payment(1, identity=transaction_pb2.TransactionIdentity()), "INVALID_TRANSACTION"),
        (payment(1, amount=Money(currency_code="CNY", amount_minor=-5)), "INVALID_TRANSACTION"),
        (payment(1, instrument_token="4111111111111111"), "INVALID_TRANSACTION"),
    ],
    ids=["too old", "future", "tenant", "no identity", "amount", "card number"],
)
async def test_what_is_refused_is_not_observed(open_door, message, reason) -> None:
    async with open_door() as door:
        before = await door.desk.shelf.keys()
        error = await failure(door.score(message))
        assert isinstance(error, InvalidArgument) and error.reason == reason
        assert await door.desk.shelf.keys() == before
        assert door.desk.log.all() == []


async def test_every_wrong_field_is_named_and_no_value_is_shown(open_door) -> None:
    async with open_door() as door:
        error = await failure(door.score(payment(1, tenant="秘密 bank", terminal_id="", merchant_category_code="54x")))
        assert {violation.field for violation in error.violations} == {"tenant", "terminal_id", "merchant_category_code"}
        assert "秘密" not in str(error)


async def test_another_tenant_than_the_tokens(open_door) -> None:
    async with open_door() as door:
        other = ((TENANT_HEADER, "bank-b"),)
        assert isinstance(await failure(door.score(payment(1), metadata=other)), PermissionDenied)
        await door.score(payment(1), metadata=((TENANT_HEADER, TENANT),))
        request = pb.GetDecisionRequest(tenant=TENANT, identity=transaction_pb2.TransactionIdentity(uetr=uetr(1)))
        assert isinstance(await failure(door.stub.GetDecision(request, metadata=other)), PermissionDenied)


@pytest.mark.parametrize("tenant", ["甲银行", "bank_a", "x" * 41])
async def test_what_is_no_tenant_is_an_invalid_argument_everywhere(open_door, tenant: str) -> None:
    async with open_door() as door:
        entry = list_entry_pb2.ListEntryChanged(tenant=tenant)
        for call in (
            door.stub.GetDecision(pb.GetDecisionRequest(tenant=tenant, decision_id=uetr(1))),
            door.stub.ScorePacs008(pb.ScorePacs008Request(tenant=tenant, document=b"<x/>")),
            door.stub.ChangeListEntry(pb.ChangeListEntryRequest(entry=entry)),
            door.stub.BacktestRules(pb.BacktestRulesRequest(tenant=tenant)),
        ):
            error = await failure(call)
            assert (type(error), error.reason) == (InvalidArgument, "TENANT_INVALID")
        header = ((TENANT_HEADER, "bank_a"),)
        assert (await failure(door.score(payment(1), metadata=header))).reason == "TENANT_INVALID"


async def test_get_decision_by_id_and_by_identity(open_door) -> None:
    async with open_door() as door:
        told = await door.score(payment(1))
        by_id = await door.stub.GetDecision(pb.GetDecisionRequest(tenant=TENANT, decision_id=told.decision_id))
        identity = transaction_pb2.TransactionIdentity(uetr=uetr(1))
        by_identity = await door.stub.GetDecision(pb.GetDecisionRequest(tenant=TENANT, identity=identity))
        assert by_id.decision_record == by_identity.decision_record == told.decision_record


async def test_absent_and_forbidden_look_the_same(open_door) -> None:
    async with open_door() as door:
        told = await door.score(payment(1))
        nobody = "00000000-0000-8000-8000-000000000000"
        absent = await failure(door.stub.GetDecision(pb.GetDecisionRequest(tenant=TENANT, decision_id=nobody)))
        forbidden = await failure(door.stub.GetDecision(pb.GetDecisionRequest(tenant="bank-b", decision_id=told.decision_id)))
        assert isinstance(absent, NotFound)
        assert (type(absent), absent.reason, absent.message) == (type(forbidden), forbidden.reason, forbidden.message)
        assert absent.reason == "DECISION_UNKNOWN"
        wrong = await failure(door.stub.GetDecision(pb.GetDecisionRequest(tenant=TENANT, decision_id="no uuid")))
        assert wrong.reason == "INVALID_DECISION_ID"


async def test_calls_that_arrive_together_each_get_their_own(open_door) -> None:
    async with open_door() as door:
        responses = await asyncio.gather(*(door.score(payment(n % 20)) for n in range(60)))
        by_id: dict[str, set[bytes]] = {}
        for response in responses:
            by_id.setdefault(response.decision_id, set()).add(response.decision_record)
        assert len(by_id) == 20
        assert all(len(records) == 1 for records in by_id.values())


async def test_one_bad_call_does_not_spoil_its_neighbours(open_door) -> None:
    async with open_door() as door:
        await door.score(payment(0))
        conflict = payment(0, amount=Money(currency_code="CNY", amount_minor=1))
        answers = await asyncio.gather(*(door.score(m) for m in (payment(1), conflict, payment(2))), return_exceptions=True)
        assert [isinstance(answer, Conflict) for answer in answers] == [False, True, False]


async def test_redis_is_gone(open_door, private_redis) -> None:
    async with open_door() as door:
        private_redis.kill()
        error = await failure(door.score(payment(1)))
        assert isinstance(error, Unavailable)
        assert door.desk.log.all() == []


async def test_a_broker_that_hangs_costs_no_more_than_the_deadline(open_door) -> None:
    async with open_door() as door:

        async def hangs(verdicts: Any) -> None:
            await asyncio.Event().wait()

        door.desk.log.write = hangs
        async with asyncio.timeout(60):
            await failure(door.score(payment(1), timeout=0.3))
