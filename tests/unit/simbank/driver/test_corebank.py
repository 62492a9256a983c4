"""A core bank counts what came of its calls; the client of the gateway is a neighbour that answers as told."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from finmesh.risk.v1 import decision_pb2, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from meshkit import errors
from simbank.driver.corebank import Calls, CoreBank
from simbank.driver.headers import trace_id_of
from simbank.history import History
from simbank.replay import Replay, plan_replay
from simbank.translate import Translator

COUNT = 20


class FakeClient:
    """Fails attempt number n as told, approves otherwise."""

    def __init__(self, failure: Callable[[int], Exception | None] = lambda attempt: None) -> None:
        self.identities: list[bytes] = []
        self._failure = failure

    async def score_transaction(
        self, transaction: transaction_pb2.TransactionAuthorizationRequested, timeout_s: float | None = None
    ) -> risk.ScoreTransactionResponse:
        assert timeout_s is not None
        identity = transaction.identity.SerializeToString()
        self.identities.append(identity)
        if failure := self._failure(len(self.identities)):
            raise failure
        first = len(self.identities) == 1
        return risk.ScoreTransactionResponse(decision_id=identity.hex(), outcome=decision_pb2.OUTCOME_APPROVE, replayed=first)


async def replayed(history: History, client: FakeClient, until_s: float | None = None) -> tuple[Calls, Replay]:
    plan = plan_replay(history.transactions, rate_per_s=1_000, seconds=COUNT / 1_000, start_us=time.time_ns() // 1_000 - 1_000_000)
    calls = Calls()
    bank = CoreBank(client, run=1)  # type: ignore[arg-type]
    await bank.replay(plan, Translator(history.population, run=1), calls, until_s or time.time() + 60, lambda: None)
    return calls, plan


async def test_calls_are_answered_counted_and_timed_from_their_intended_time(history: History) -> None:
    calls, plan = await replayed(history, FakeClient())
    assert (calls.planned, calls.started, len(calls.replies)) == (COUNT, COUNT, COUNT)
    assert set(calls.replies) == {trace_id_of(1, int(number)) for number in plan.rows.transaction_id}
    assert (calls.replayed, calls.outcomes) == (1, {"approve": COUNT})
    assert min(calls.latencies_s) >= 0.9, "the wait before a late call counts"
    assert not calls.failures + calls.refused
    assert not calls.unanswered


async def test_what_a_retry_can_help_is_repeated_with_the_same_identity(history: History) -> None:
    client = FakeClient(lambda attempt: errors.Unavailable("away", retry_after_s=0.01) if attempt <= 5 else None)
    calls, _ = await replayed(history, client)
    assert calls.failures == {"UNAVAILABLE": 5}
    assert (len(calls.replies), len(client.identities), len(set(client.identities))) == (COUNT, COUNT + 5, COUNT)


@pytest.mark.parametrize("failure", [errors.Conflict("other"), errors.PermissionDenied("no"), errors.Unauthenticated("nobody")])
async def test_what_no_retry_can_help_is_refused_once(history: History, failure: errors.MeshError) -> None:
    client = FakeClient(lambda attempt: failure)
    calls, _ = await replayed(history, client)
    assert calls.refused == {failure.reason: COUNT}
    assert (len(calls.unanswered), len(client.identities), calls.failures) == (COUNT, COUNT, {})


async def test_when_time_is_up_an_outage_is_unanswered_and_an_internal_error_refused(history: History) -> None:
    calls, _ = await replayed(history, FakeClient(lambda attempt: errors.Unavailable("away")), until_s=time.time())
    assert (len(calls.unanswered), calls.failures, calls.refused) == (COUNT, {"UNAVAILABLE": COUNT}, {"UNAVAILABLE": 0})
    calls, _ = await replayed(history, FakeClient(lambda attempt: errors.MeshError("bug")), until_s=time.time())
    assert (len(calls.unanswered), calls.refused) == (COUNT, {"INTERNAL": COUNT})
