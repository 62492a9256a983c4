"""The attacks of the security page that reach the gateway: bytes, sizes, headers, deadlines, exceptions."""

import asyncio
import random
from typing import Any

import pytest
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from gateway.routes import ROUTES
from grpc import aio
from meshkit import errors
from meshkit.rpc import status
from meshkit.rpc.tls import channel_credentials
from meshkit.testing.capture import captured_logs

from tests.component.gateway.conftest import Door, OpenDoor, tls
from tests.component.gateway.test_forwarding import score

SERVICE = "/finmesh.gateway.v1.GatewayService/"
CARD = "6222021234567890128"


async def raw_failure(
    door: Door, method: str, body: bytes, metadata: Any = None, timeout: float | None = 5.0, options: Any = ()
) -> errors.MeshError:
    """Send bytes over a plain gRPC channel with a good certificate; return the typed error."""
    options = (("grpc.ssl_target_name_override", "gateway"), *options)
    async with aio.secure_channel(door.address, channel_credentials(tls(door.certs, "client")), options) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await channel.unary_unary(method)(body, metadata=door.token() if metadata is None else metadata, timeout=timeout)
    return status.from_rpc_error(caught.value)


async def still_serves(door: Door) -> bool:
    response = await door.stub.ScoreTransaction(score(), metadata=door.token())
    return bool(response.response.decision_id == "d-1")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
async def test_random_bytes_to_every_method_give_a_typed_refusal(door: Door, route: Any) -> None:
    dice = random.Random(route.method)
    reasons = set()
    for length in (1, 2, 7, 30, 200, 5000):
        error = await raw_failure(door, SERVICE + route.method, b"\x0f" + dice.randbytes(length))
        assert isinstance(error, errors.MeshError)
        reasons.add(error.reason)
    assert reasons == {"MALFORMED_MESSAGE"}
    assert door.risk.requests == []
    assert await still_serves(door)


async def test_deeply_nested_protobuf_is_refused(door: Door) -> None:
    body = b""
    for _ in range(120):  # unknown groups: field 15, wire types 3 and 4
        body = b"\x7b" + body + b"\x7c"
    error = await raw_failure(door, SERVICE + "GetDecision", body)
    assert error.reason == "MALFORMED_MESSAGE"
    assert await still_serves(door)


async def test_invalid_utf8_is_refused(door: Door) -> None:
    body = score().SerializeToString().replace(b"bank-a", b"\xff\xfe\xfd-a!")
    error = await raw_failure(door, SERVICE + "ScoreTransaction", body)
    assert error.reason == "MALFORMED_MESSAGE"


async def test_nul_in_a_tenant_is_no_tenant(door: Door) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(tenant="bank-a\0"))
    assert (type(error), error.reason) == (errors.InvalidArgument, "TENANT_INVALID")


async def test_control_characters_in_an_idempotency_key_are_refused(door: Door) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(key="a\0b"))
    assert [violation.field for violation in error.violations] == ["idempotency_key"]


async def test_five_mebibytes_never_reach_the_parser(door: Door) -> None:
    error = await raw_failure(door, SERVICE + "ScorePacs008", bytes(5 * 1024 * 1024), options=[("grpc.max_send_message_length", -1)])
    assert (type(error), error.reason) == (errors.InvalidArgument, "MESSAGE_TOO_LARGE")
    assert await still_serves(door)


async def test_each_method_has_its_own_size(door: Door) -> None:
    large = pb.ScoreTransactionRequest()
    large.request.transaction.tenant = "bank-a"
    large.request.transaction.customer_id = "c" * 1_200_000
    error = await door.failure(door.stub.ScoreTransaction, large)
    assert (type(error), error.reason) == (errors.InvalidArgument, "MESSAGE_TOO_LARGE")
    document = pb.ScorePacs008Request()
    document.request.tenant = "bank-a"
    document.request.document = b"<" * 1_200_000
    response = await door.stub.ScorePacs008(document, metadata=door.token())
    assert response.response.results[0].error_reason == "INVALID_TRANSACTION"


async def test_twenty_kilobytes_of_metadata_are_refused(door: Door) -> None:
    metadata = (*door.token(), ("x-padding", "p" * 20_000))
    error = await raw_failure(door, SERVICE + "ScoreTransaction", score().SerializeToString(), metadata)
    assert (type(error), error.reason) == (errors.InvalidArgument, "METADATA_TOO_LARGE")
    assert door.risk.requests == []
    assert await still_serves(door)


async def test_two_authorization_headers_are_refused(door: Door) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(), (*door.token(), *door.token()))
    assert error.reason == "HEADER_REPEATED"


async def test_a_deadline_of_a_millisecond_is_refused_before_work(door: Door) -> None:
    error = await raw_failure(door, SERVICE + "ScoreTransaction", score().SerializeToString(), timeout=0.001)
    assert isinstance(error, errors.DeadlineExceeded)
    assert door.risk.requests == []


async def test_a_negative_deadline_is_over(door: Door) -> None:
    error = await raw_failure(door, SERVICE + "ScoreTransaction", score().SerializeToString(), timeout=-1)
    assert isinstance(error, errors.DeadlineExceeded)
    assert door.risk.requests == []


@pytest.mark.parametrize("timeout_s", [None, 315_360_000.0], ids=["none", "ten years"])
async def test_an_absurd_deadline_becomes_the_methods_maximum(door: Door, timeout_s: float | None) -> None:
    options = (("grpc.ssl_target_name_override", "gateway"),)
    async with aio.secure_channel(door.address, channel_credentials(tls(door.certs, "client")), options) as channel:
        call = channel.unary_unary(SERVICE + "ScoreTransaction")
        await call(score().SerializeToString(), metadata=door.token(), timeout=timeout_s)
    assert 1.0 < door.risk.remaining_s[0] <= 2.0


async def test_an_unknown_method_is_unimplemented(door: Door) -> None:
    error = await raw_failure(door, SERVICE + "TransferEverything", b"")
    assert error.reason == "UNIMPLEMENTED"


async def test_upstream_methods_cannot_be_called_at_the_gateway(door: Door) -> None:
    error = await raw_failure(door, "/finmesh.risk.v1.RiskScoringService/ScoreTransaction", score().request.SerializeToString())
    assert error.reason == "UNIMPLEMENTED"
    assert door.risk.requests == []


async def test_identifiers_hidden_in_a_header_do_not_reach_the_log(door: Door) -> None:
    hidden = (f"Bearer {CARD}", "Bearer 6222-0212-3456-7890-128", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.")
    with captured_logs() as logs:
        for value in hidden:
            await door.failure(door.stub.ScoreTransaction, score(), (("authorization", value),))
    assert len([line for line in logs.lines if line["message"] == "rpc"]) == len(hidden)
    assert all(value not in logs.text for value in (CARD, "6222-0212", "eyJ"))


@pytest.mark.parametrize(
    "text",
    [
        "６２２２０２１２３４５６７８９０１２８",
        "6222\u200b0212\u200b3456\u200b7890\u200b128",
        "卡号6222 0212 3456 7890 128号",
        "身份证11010519491231002X",
    ],
    ids=["full width", "zero width", "spaced beside Chinese", "resident id"],
)
async def test_an_exception_with_an_identifier_leaks_it_nowhere(door: Door, text: str) -> None:
    door.risk.failure = RuntimeError(f"cannot store {text}")
    with captured_logs() as logs:
        error = await door.failure(door.stub.ScoreTransaction, score())
    assert str(error) == "internal error"
    assert "cannot store" in logs.text
    assert text not in logs.text
    assert "[card]" in logs.text or "[resident-id]" in logs.text


async def test_a_full_gateway_refuses_at_once_and_recovers(open_door: OpenDoor) -> None:
    async with open_door(concurrent_calls=1) as door:
        door.risk.release.clear()
        first = asyncio.create_task(door.stub.ScoreTransaction(score(), metadata=door.token()))
        await door.risk.entered.wait()
        error = await door.failure(door.stub.ScoreTransaction, score())
        door.risk.release.set()
        await first
        assert isinstance(error, errors.Overloaded), "capacity, and nobody's quota"


async def test_a_caller_that_goes_away_takes_its_upstream_call_with_it(door: Door) -> None:
    door.risk.release.clear()
    call = asyncio.create_task(door.stub.ScoreTransaction(score(), metadata=door.token()))
    await door.risk.entered.wait()
    call.cancel()
    async with asyncio.timeout(60):
        await door.risk.cancelled.wait()


async def test_reflection_health_and_channelz_are_on(door: Door) -> None:
    from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(door.channel)

    async def questions() -> Any:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    async for answer in reflection.ServerReflectionInfo(questions()):
        names = {service.name for service in answer.list_services_response.service}
        break
    assert {"finmesh.gateway.v1.GatewayService", "grpc.health.v1.Health", "grpc.channelz.v1.Channelz"} <= names
    channelz: Any = channelz_pb2_grpc.ChannelzStub(door.channel)
    servers = await channelz.GetServers(channelz_pb2.GetServersRequest(start_server_id=0))
    assert len(servers.server) >= 2
