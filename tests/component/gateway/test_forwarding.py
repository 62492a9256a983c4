"""What the gateway forwards, to whom, with which headers; what comes back."""

import uuid
from typing import Any

import pytest
from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from grpc_health.v1 import health_pb2, health_pb2_grpc
from meshkit import errors
from meshkit.rpc import metadata
from meshkit.rpc.channel import MeshChannel
from meshkit.testing.capture import captured_logs, captured_spans

from tests.component.gateway.conftest import NOWHERE, Door, OpenDoor, tls


def score(tenant: str = "bank-a", key: str = "", customer: str = "c-1") -> pb.ScoreTransactionRequest:
    request = pb.ScoreTransactionRequest(idempotency_key=key)
    request.request.transaction.tenant = tenant
    request.request.transaction.customer_id = customer
    return request


async def test_the_owners_message_and_answer_pass_unchanged(door: Door) -> None:
    response = await door.stub.ScoreTransaction(score(customer="客户一"), metadata=door.token())
    assert response.response == risk.ScoreTransactionResponse(decision_id="d-1", outcome="OUTCOME_APPROVE", decision_record=b"x" * 300)
    assert door.risk.requests == [score(customer="客户一").request]


async def test_an_empty_answer_is_a_present_answer(door: Door) -> None:
    request = pb.ChangeListEntryRequest()
    request.request.entry.tenant = "bank-a"
    response = await door.stub.ChangeListEntry(request, metadata=door.token(roles=["list-editor"]))
    assert response.HasField("response")


async def test_upstream_learns_who_for_whom_why_and_under_which_policy(door: Door) -> None:
    await door.stub.ScoreTransaction(score(), metadata=door.token())
    facts = door.risk.facts[0]
    assert (facts.principal, facts.tenant, facts.scenario, facts.purpose) == ("core-banking", "bank-a", "anti-fraud", "fraud-prevention")
    assert len(facts.policy_hash) == 32
    assert uuid.UUID(facts.request_id).version == 7


async def test_a_client_cannot_smuggle_the_gateways_headers(door: Door) -> None:
    forged = ((metadata.PRINCIPAL, "root"), (metadata.TENANT, "bank-b"), (metadata.REQUEST_ID, "mine"), (metadata.POLICY_HASH, "00"))
    await door.stub.ScoreTransaction(score(), metadata=(*door.token(), *forged))
    facts = door.risk.facts[0]
    assert (facts.principal, facts.tenant) == ("core-banking", "bank-a")
    assert facts.request_id != "mine"


async def test_the_deadline_shrinks_on_the_way_and_never_exceeds_the_methods_maximum(door: Door) -> None:
    await door.stub.ScoreTransaction(score(), metadata=door.token(), timeout=1.0)
    await door.stub.ScoreTransaction(score(), metadata=door.token(), timeout=3e8)
    assert 0 < door.risk.remaining_s[0] < 1.0
    assert 1.5 < door.risk.remaining_s[1] <= 2.0


@pytest.mark.parametrize(
    "failure",
    [
        errors.Conflict("other content", reason="IDEMPOTENCY_CONFLICT"),
        errors.Overloaded("full", reason="QUEUE_FULL", retry_after_s=0.25),
        errors.InvalidArgument("wrong", violations=(errors.FieldViolation("transaction.amount", "is required"),)),
        errors.NotFound("unknown", reason="DECISION_UNKNOWN", metadata={"store": "redis"}),
    ],
)
async def test_the_owners_typed_error_reaches_the_caller_as_it_is(door: Door, failure: errors.MeshError) -> None:
    door.risk.failure = failure
    error = await door.failure(door.stub.ScoreTransaction, score())
    assert (type(error), error.reason, error.metadata) == (type(failure), failure.reason, failure.metadata)
    assert (error.retry_after_s, error.violations) == (failure.retry_after_s, failure.violations)


async def test_a_bug_upstream_says_nothing_but_internal_error(door: Door) -> None:
    door.risk.failure = RuntimeError("card 6222021234567890128 of 张三")
    with captured_logs() as logs:
        error = await door.failure(door.stub.ScoreTransaction, score())
    assert (type(error), str(error)) == (errors.MeshError, "internal error")
    assert "6222021234567890128" not in logs.text
    failed = next(line for line in logs.lines if line["message"] == "handler failed")
    assert "RuntimeError" in failed["exception"]
    assert len(failed["trace_id"]) == 32


async def test_an_upstream_that_is_down_is_unavailable_with_a_time_to_retry(open_door: OpenDoor) -> None:
    async with open_door(upstream=NOWHERE) as door:
        error = await door.failure(door.stub.ScoreTransaction, score())
        assert isinstance(error, errors.Unavailable)
        assert error.retry_after_s == 0.5
        assert NOWHERE not in str(error)


async def missing(door: Door, component: str) -> None:
    """Return when health says NOT_SERVING for a component."""
    stub: Any = health_pb2_grpc.HealthStub(door.channel)
    async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=component)):
        if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
            return


async def test_what_is_missing_shows_in_health_and_state(open_door: OpenDoor) -> None:
    async with open_door(upstream=NOWHERE) as door:
        for component in ("redis", "risk-scoring", "audit"):
            await missing(door, component)
        assert door.service.state()["state"] == "ready-degraded"
        assert set(door.service.state()["missing"]) == {"redis", "risk-scoring", "audit"}
        stub: Any = health_pb2_grpc.HealthStub(door.channel)
        for whole in ("", "finmesh.gateway.v1.GatewayService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=whole))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_audit_is_routed_to_audit(door: Door) -> None:
    error = await door.failure(door.stub.GetCheckpoint, pb.GetCheckpointRequest(request=audit.GetCheckpointRequest()))
    assert isinstance(error, errors.Unavailable)
    assert "audit" in str(error)


async def test_a_missing_inner_message_is_refused(door: Door) -> None:
    error = await door.failure(door.stub.GetDecision, pb.GetDecisionRequest())
    assert isinstance(error, errors.InvalidArgument)
    assert [v.field for v in error.violations] == ["request"]


async def test_one_trace_from_the_client_to_the_owner(door: Door) -> None:
    with captured_spans() as spans:
        await door.stub.ScoreTransaction(score(), metadata=door.token())
    by_kind = {(span.kind.name, span.name): span for span in spans}
    client, server = "finmesh.gateway.v1.GatewayService/ScoreTransaction", "finmesh.risk.v1.RiskScoringService/ScoreTransaction"
    chain = [by_kind["CLIENT", client], by_kind["SERVER", client], by_kind["CLIENT", server], by_kind["SERVER", server]]
    assert len({span.context.trace_id for span in chain}) == 1
    assert [span.parent.span_id for span in chain[1:]] == [span.context.span_id for span in chain[:-1]]
    assert chain[1].attributes["finmesh.caller"] == "client"


async def test_one_log_line_for_each_call_with_its_trace(door: Door) -> None:
    with captured_logs() as logs:
        await door.stub.ScoreTransaction(score(), metadata=door.token())
        await door.failure(door.stub.ScoreTransaction, score(tenant="bank-b"))
    lines = [line for line in logs.lines if line.get("rpc.method") == "finmesh.gateway.v1.GatewayService/ScoreTransaction"]
    assert [line["rpc.response.status_code"] for line in lines] == ["OK", "PERMISSION_DENIED"]
    assert lines[1]["finmesh.error.reason"] == "TENANT_MISMATCH"
    assert all(len(line["trace_id"]) == 32 and line["duration_ms"] > 0 for line in lines)


async def test_a_stopping_gateway_says_so_and_refuses_new_calls(open_door: OpenDoor) -> None:
    async with open_door() as door:
        await door.stub.ScoreTransaction(score(), metadata=door.token())
        address, certs = door.address, door.certs
    async with MeshChannel(address, tls(certs, "client"), server_name="gateway") as channel:
        call = channel.unary_unary("/finmesh.gateway.v1.GatewayService/GetCheckpoint")
        with pytest.raises(errors.Unavailable):
            await call(b"")
