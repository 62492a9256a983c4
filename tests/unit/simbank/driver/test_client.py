from __future__ import annotations

import time
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.gateway.v1 import gateway_service_pb2_grpc as pb_grpc
from finmesh.risk.v1 import decision_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from simbank.driver.client import ScoringClient
from simbank.history import History
from simbank.replay import plan_replay
from simbank.translate import Translator


class Gateway(pb_grpc.GatewayServiceServicer):
    """Stands for the gateway: approves, refuses every fifth call."""

    def __init__(self) -> None:
        self.calls = 0
        self.open = 0

    async def ScoreTransaction(self, request, context):
        self.calls += 1
        if self.calls % 5 == 0:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota")
        uetr = request.request.transaction.identity
        response = risk.ScoreTransactionResponse(
            decision_id=uetr.SerializeToString().hex(), outcome=decision_pb2.OUTCOME_APPROVE, replayed=self.calls == 1
        )
        return pb.ScoreTransactionResponse(response=response)


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[Gateway, str]]:
    server, servicer = grpc.aio.server(), Gateway()
    pb_grpc.add_GatewayServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


async def test_calls_are_answered_counted_and_timed_from_their_intended_time(history: History, gateway: tuple[Gateway, str]) -> None:
    servicer, target = gateway
    plan = plan_replay(history.transactions, rate_per_s=1_000, seconds=0.05, start_us=time.time_ns() // 1_000 - 1_000_000)
    progress = []
    async with ScoringClient(target, None, timeout_s=5.0) as client:
        calls = await client.replay(plan, Translator(history.population, run=1), progress=lambda state: progress.append(state.answered))
    assert (calls.planned, calls.started, servicer.calls) == (50, 50, 50)
    assert calls.answered == 40
    assert calls.errors == {"RESOURCE_EXHAUSTED": 10}
    assert calls.outcomes == {"approve": 40}
    assert calls.replayed == 1
    assert len(calls.decision_ids) == 40
    assert calls.latency_ms(0.0) >= 900, "the wait before a late call counts"
    assert max(progress) == 40


async def test_nobody_at_the_door_counts_as_unavailable(history: History) -> None:
    plan = plan_replay(history.transactions, rate_per_s=1_000, seconds=0.003, start_us=time.time_ns() // 1_000)
    async with ScoringClient("127.0.0.1:1", None, timeout_s=2.0) as client:
        calls = await client.replay(plan, Translator(history.population, run=1))
    assert calls.errors == {"UNAVAILABLE": 3}
    assert calls.answered == 0
