"""Generate, ListModels and ListBackends through the gateway: who may, what the router learns, how a stream ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from finmesh.common.v1 import grade_pb2
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.router.v1 import router_service_pb2 as router
from finmesh.router.v1 import router_service_pb2_grpc as router_grpc
from meshkit import errors
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.metadata import PURPOSE
from meshkit.rpc.server import MeshServer
from meshkit.testing.serving import serving

from tests.component.gateway.conftest import Door, OpenDoor, tls
from tests.component.gateway.scripted_router import ANSWER, admitted, delta, forever
from tests.component.gateway.test_attacks import raw_failure
from tests.component.gateway.test_denials import denied, told

GENERATE = "/finmesh.gateway.v1.GatewayService/Generate"
USER = ["assistant-user"]


def ask(
    text: str = "请用一句话解释什么是洗钱", tenant: str = "bank-a", grade: int = grade_pb2.DATA_GRADE_L2, **fields: Any
) -> pb.GenerateRequest:
    """A conversation of one turn."""
    turns = router.Conversation(messages=[router.Message(role="user", content=text)])
    return pb.GenerateRequest(request=router.GenerateRequest(tenant=tenant, grade=grade, conversation=turns, **fields))  # type: ignore[arg-type]


async def answer(
    door: Door, request: pb.GenerateRequest, metadata: Any = None, **arguments: Any
) -> tuple[list[Any], errors.MeshError | None]:
    """Read a stream to its end: what came, and the error if it ended with one."""
    found: list[Any] = []
    try:
        async for response in door.stub.Generate(request, metadata=metadata or door.token(roles=USER), **arguments):
            found.append(response.response)  # noqa: PERF401  what came before an error counts
    except errors.MeshError as error:
        return found, error
    return found, None


async def refusal(door: Door, request: pb.GenerateRequest, metadata: Any = None) -> errors.MeshError:
    """Return the error of a call that must reach nobody."""
    found, error = await answer(door, request, metadata)
    assert not found and not door.router.requests
    assert error is not None
    return error


async def test_request_and_answer_pass_unchanged(door: Door) -> None:
    asked = ask(seed_set=True, stop=["。"], logit_bias={5: -1.0, 3: 2.0})
    assert await answer(door, asked) == (list(ANSWER), None)
    assert door.router.requests == [asked.request]


async def test_the_router_learns_who_for_whom_and_why_and_how_long(door: Door) -> None:
    token = door.token(roles=USER, purposes=["customer-service", "fraud-prevention"])
    await answer(door, ask(), (*token, (PURPOSE, "customer-service")), timeout=3e8)
    (facts,) = door.router.facts
    assert (facts.tenant, facts.scenario, facts.purpose) == ("bank-a", "assistant", "customer-service")
    assert facts.principal and len(facts.policy_hash) == 32
    assert 200 < door.router.remaining_s[0] <= 300


@pytest.mark.parametrize(
    ("fields", "claims"),
    [
        ({"scenario": "trading-floor"}, {}),
        ({"scenario": "anti-fraud"}, {}),
        ({"grade": grade_pb2.DATA_GRADE_L4}, {}),
        ({"grade": grade_pb2.DATA_GRADE_UNSPECIFIED}, {}),
        ({}, {"roles": ["transaction-scorer"]}),
        ({}, {"purposes": ["marketing"]}),
    ],
)
async def test_scenario_grade_role_and_purpose_are_the_policys_matter(door: Door, fields: Any, claims: Any) -> None:
    error = await refusal(door, ask(**fields), door.token(**({"roles": USER} | claims)))
    assert (type(error), error.reason) == (errors.PermissionDenied, "POLICY_DENIED")
    assert ("grade" in error.message) is (fields.get("grade") == grade_pb2.DATA_GRADE_UNSPECIFIED)
    (record,) = await denied(door)
    assert record.scenario == fields.get("scenario", "assistant")
    assert [refused[:2] for refused in told(record)] == [("POLICY_DENIED", "Generate")]


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"scenario": "Assistant"}, "SCENARIO_INVALID", "request.scenario"),
        ({"scenario": "客服"}, "SCENARIO_INVALID", "request.scenario"),
        ({"scenario": "a:b"}, "SCENARIO_INVALID", "request.scenario"),
        ({"scenario": "card-6222021234567890128"}, "SCENARIO_INVALID", "request.scenario"),
        ({"grade": 6}, "GRADE_INVALID", "request.grade"),
        ({"grade": -1}, "GRADE_INVALID", "request.grade"),
        ({"tenant": ""}, "TENANT_MISSING", "request.tenant"),
    ],
)
async def test_what_no_scenario_or_grade_can_be_is_refused_by_name(door: Door, fields: Any, reason: str, field: str) -> None:
    error = await refusal(door, ask(**fields))
    assert (type(error), error.reason) == (errors.InvalidArgument, reason)
    assert [violation.field for violation in error.violations] == [field]
    assert "6222021234567890128" not in str(error)


async def test_a_router_that_just_started_is_waited_for(door: Door) -> None:
    """A stream is not repeated, and gRPC refuses calls while it pauses between two tries to connect, whoever is up by then."""
    await door.routers_server.stop(0.0)
    _, error = await answer(door, ask())
    assert isinstance(error, errors.Unavailable) and error.retry_after_s
    asking = asyncio.create_task(answer(door, ask()))
    again = MeshServer(door.routers_server.address, tls(door.certs, "router"), callers={"gateway"}, deadlines=Deadlines(300.0))
    router_grpc.add_RouterServiceServicer_to_server(door.router, again)
    async with serving(again):
        assert await asking == (list(ANSWER), None)


async def test_another_tenants_models_are_nobodys(door: Door) -> None:
    error = await refusal(door, ask(tenant="bank-b"))
    assert (type(error), error.reason) == (errors.PermissionDenied, "TENANT_MISMATCH")


async def test_bytes_that_are_no_text_are_refused(door: Door) -> None:
    body = ask(text="text").SerializeToString().replace(b"text", b"\xff\xfe\xfdt")
    error = await raw_failure(door, GENERATE, body, door.token(roles=USER))
    assert (type(error), error.reason) == (errors.InvalidArgument, "MALFORMED_MESSAGE")


async def test_a_prompt_larger_than_a_request_may_be_is_refused(door: Door) -> None:
    error = await refusal(door, ask(text="长" * 400_000))
    assert (type(error), error.reason) == (errors.InvalidArgument, "MESSAGE_TOO_LARGE")


async def test_two_hundred_thousand_characters_are_the_routers_matter(door: Door) -> None:
    assert await answer(door, ask(text="长" * 200_000)) == (list(ANSWER), None)


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize(
    "failure",
    [
        errors.InvalidArgument("the prompt is too long", reason="PROMPT_TOO_LONG", metadata={"tokens": "9000"}),
        errors.NotFound("no such model", reason="MODEL_UNKNOWN"),
        errors.Overloaded("full", reason="OVERLOADED", retry_after_s=1.5),
        errors.Unavailable("the engine died", reason="STREAM_BROKEN", retry_after_s=0.25),
    ],
)
async def test_the_routers_error_reaches_the_caller_as_it_is(door: Door, failure: errors.MeshError, before: int) -> None:
    door.router.script = (*ANSWER[:before], failure)
    found, error = await answer(door, ask())
    assert found == list(ANSWER[:before])
    assert error is not None
    assert (type(error), error.reason, error.metadata, error.retry_after_s) == (
        type(failure),
        failure.reason,
        failure.metadata,
        failure.retry_after_s,
    )
    assert len(door.router.requests) == 1, "a generation is not begun twice"


async def test_going_away_ends_the_routers_work_at_once(door: Door) -> None:
    door.router.script = (admitted(), delta("你"), forever)
    async with aclosing(door.stub.Generate(ask(), metadata=door.token(roles=USER))) as responses:
        await anext(responses)
        assert (await anext(responses)).response == delta("你")
    await door.router.ended.wait()


async def test_the_callers_deadline_ends_it_on_both_sides(door: Door) -> None:
    door.router.script = (admitted(), forever)
    found, error = await answer(door, ask(), timeout=0.3)
    assert found == [admitted()] and isinstance(error, errors.DeadlineExceeded)
    await door.router.ended.wait()


async def test_a_reader_that_stops_is_told_and_the_routers_work_ends(open_door: OpenDoor) -> None:
    async with open_door(slow_reader_s=0.3) as door:
        door.router.script = (admitted(), *(delta("数" * 20_000) for _ in range(1_000)))
        responses = door.stub.Generate(ask(), metadata=door.token(roles=USER))
        await anext(responses)
        await door.router.ended.wait()
        assert door.router.sent < 500, "no more is asked of the router than gRPC's windows hold"
        with pytest.raises(errors.DeadlineExceeded) as ended:
            async for _ in responses:
                pass
        assert ended.value.reason == "READER_TOO_SLOW"


async def test_a_router_that_dies_ends_the_stream(door: Door) -> None:
    door.router.script = (admitted(), forever)
    responses = door.stub.Generate(ask(), metadata=door.token(roles=USER))
    await anext(responses)
    await door.routers_server.stop(0)
    with pytest.raises(errors.Unavailable) as ended:
        await anext(responses)
    assert ended.value.retry_after_s is not None
    assert "127.0.0.1" not in ended.value.message


async def test_models_are_listed_to_those_who_may_use_them(door: Door) -> None:
    request = pb.ListModelsRequest(request=router.ListModelsRequest(tenant="bank-a"))
    response = await door.stub.ListModels(request, metadata=door.token(roles=USER))
    assert [model.name for model in response.response.models] == ["smollm2"]
    error = await door.failure(door.stub.ListModels, request, door.token(roles=["operator"]))
    assert error.reason == "POLICY_DENIED"
    request.request.scenario = "trading-floor"
    error = await door.failure(door.stub.ListModels, request, door.token(roles=USER))
    assert error.reason == "POLICY_DENIED"


async def test_engines_are_listed_to_operators(door: Door) -> None:
    request = pb.ListBackendsRequest(request=router.ListBackendsRequest(tenant="bank-a"))
    response = await door.stub.ListBackends(request, metadata=door.token(roles=["operator"]))
    assert [backend.age_ms for backend in response.response.backends] == [20]
    assert [facts.scenario for facts in door.router.facts] == ["operations"]
    error = await door.failure(door.stub.ListBackends, request, door.token(roles=USER))
    assert error.reason == "POLICY_DENIED"


async def test_the_development_tokens_are_for_what_the_command_does_with_them(door: Door) -> None:
    def bearer(file: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", "Bearer " + (door.certs / file).read_text()), (PURPOSE, "fraud-prevention"))

    assert await answer(door, ask(), bearer("assistant.jwt")) == (list(ANSWER), None)
    models = pb.ListModelsRequest(request=router.ListModelsRequest(tenant="bank-a"))
    assert (await door.stub.ListModels(models, metadata=bearer("assistant.jwt"))).response.models
    backends = pb.ListBackendsRequest(request=router.ListBackendsRequest(tenant="bank-a"))
    assert (await door.stub.ListBackends(backends, metadata=bearer("operator.jwt"))).response.backends
    for file in ("token.jwt", "editor.jwt", "operator.jwt"):
        error = (await answer(door, ask(), bearer(file)))[1]
        assert isinstance(error, errors.PermissionDenied)
