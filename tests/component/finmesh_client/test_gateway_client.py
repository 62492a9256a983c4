"""The client against a real gRPC server with mutual TLS; the gateway behind it is a neighbour that answers as told."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.gateway.v1 import gateway_service_pb2_grpc as pb_grpc
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh.risk.v1 import transaction_pb2
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient, by_tenant
from meshkit import errors
from meshkit.config import TlsSettings
from meshkit.rpc.chain import current_call
from meshkit.rpc.server import MeshServer
from meshkit.testing.serving import serving
from provisioning import certificates

TRANSACTION = transaction_pb2.TransactionAuthorizationRequested(tenant="bank-a", customer_id="客户-1")


@dataclass
class FakeGateway(pb_grpc.GatewayServiceServicer):
    """Fails as often as told, answers afterwards, and remembers what it was asked and how."""

    failures: list[Exception] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    pieces: list[str] = field(default_factory=lambda: ["你好", "，", "世界"])
    breaks: Exception | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def _note(self, request: Any) -> None:
        call = current_call()
        assert call is not None
        self.headers.append({name: call.header(name) or "" for name in ("authorization", "x-finmesh-purpose")})
        self.asked.append(request.request)
        if self.failures:
            raise self.failures.pop(0)

    async def ScoreTransaction(self, request: pb.ScoreTransactionRequest, context: Any) -> pb.ScoreTransactionResponse:
        self._note(request)
        return pb.ScoreTransactionResponse(response=risk.ScoreTransactionResponse(decision_id=request.request.transaction.customer_id))

    async def ListRecords(self, request: pb.ListRecordsRequest, context: Any) -> pb.ListRecordsResponse:
        self._note(request)
        page = int(request.request.page_token or "0")
        leaves = [audit.Leaf(index=page)]
        return pb.ListRecordsResponse(response=audit.ListRecordsResponse(leaves=leaves, next_page_token="" if page == 2 else str(page + 1)))

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        self._note(request)
        return pb.GetCheckpointResponse(response=audit.GetCheckpointResponse(verifier_key="key"))

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:
        self._note(request)
        try:
            for piece in self.pieces:
                yield pb.GenerateResponse(response=router.GenerateResponse(delta=router.Delta(text=piece)))
            if self.breaks:
                raise self.breaks
        finally:
            self.left.set()

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        self._note(request)
        return pb.ListModelsResponse(response=router.ListModelsResponse(models=[router.Model(name="smollm2")]))

    async def ListBackends(self, request: pb.ListBackendsRequest, context: Any) -> pb.ListBackendsResponse:
        self._note(request)
        return pb.ListBackendsResponse(response=router.ListBackendsResponse(backends=[router.Backend(age_ms=7)]))


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    certificates.ensure_certificates(folder, dt.datetime.now(dt.UTC))
    return folder


def tls(certs: Path, identity: str) -> TlsSettings:
    return TlsSettings(certificate=certs / f"{identity}.pem", key=certs / f"{identity}.key", authority=certs / "authority.pem")


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def address(gateway: FakeGateway, certs: Path) -> AsyncIterator[str]:
    server = MeshServer("127.0.0.1:0", tls(certs, "gateway"), callers=["client"])
    pb_grpc.add_GatewayServiceServicer_to_server(gateway, server)
    async with serving(server):
        yield server.address


async def test_each_call_shows_the_token_of_its_tenant_and_the_purpose(gateway: FakeGateway, address: str, certs: Path) -> None:
    tokens = by_tenant({"bank-a": "token-a", "bank-b": "token-b"})
    async with GatewayClient(address, tls(certs, "client"), tokens, purpose="model-validation") as client:
        assert (await client.score_transaction(TRANSACTION)).decision_id == "客户-1"
        assert (await client.get_checkpoint("bank-b")).verifier_key == "key"
        with pytest.raises(errors.Unauthenticated, match="no token for this tenant"):
            await client.get_statistics("bank-c")
    assert [headers["authorization"] for headers in gateway.headers] == ["Bearer token-a", "Bearer token-b"]
    assert {headers["x-finmesh-purpose"] for headers in gateway.headers} == {"model-validation"}


async def test_a_token_that_is_renewed_is_shown_at_the_next_call(gateway: FakeGateway, address: str, certs: Path, tmp_path: Path) -> None:
    file = tmp_path / "令牌.jwt"
    async with GatewayClient(address, tls(certs, "client"), lambda _: file.read_text()) as client:
        for token in ("old", "new"):
            file.write_text(token)
            await client.score_transaction(TRANSACTION)
    assert [headers["authorization"] for headers in gateway.headers] == ["Bearer old", "Bearer new"]


async def test_every_page_of_records_is_fetched(gateway: FakeGateway, address: str, certs: Path) -> None:
    async with GatewayClient(address, tls(certs, "client"), lambda _: "token") as client:
        assert [leaf.index for leaf in await client.list_records("bank-a", "d-1")] == [0, 1, 2]
    assert {(asked.tenant, asked.decision_id) for asked in gateway.asked} == {("bank-a", "d-1")}


@pytest.mark.parametrize("failure", [errors.Conflict("其他内容"), errors.QuotaExceeded("later", retry_after_s=2.0), errors.NotFound("x")])
async def test_errors_are_those_of_the_kit(gateway: FakeGateway, address: str, certs: Path, failure: errors.MeshError) -> None:
    gateway.failures = [failure]
    async with GatewayClient(address, tls(certs, "client"), lambda _: "token") as client:
        with pytest.raises(type(failure)) as raised:
            await client.score_transaction(TRANSACTION)
    assert (raised.value.message, raised.value.reason, raised.value.retry_after_s) == (
        failure.message,
        failure.reason,
        failure.retry_after_s,
    )


async def test_only_who_wants_it_repeats_what_is_not_there(gateway: FakeGateway, address: str, certs: Path) -> None:
    gateway.failures = [errors.Unavailable("away"), errors.Unavailable("away")]
    async with GatewayClient(address, tls(certs, "client"), lambda _: "token") as client:
        with pytest.raises(errors.Unavailable):
            await client.score_transaction(TRANSACTION)
    async with GatewayClient(address, tls(certs, "client"), lambda _: "token", retried=True) as client:
        await client.score_transaction(TRANSACTION)
    assert len(gateway.asked) == 3


@pytest.mark.parametrize("word", ["令牌", "two words", "line\nbreak", ""])
async def test_what_no_header_can_hold_is_refused_before_it_is_sent(gateway: FakeGateway, address: str, certs: Path, word: str) -> None:
    async with GatewayClient(address, tls(certs, "client"), lambda _: word) as client:
        with pytest.raises(errors.InvalidArgument, match="the token is not one word of ASCII") as raised:
            await client.score_transaction(TRANSACTION)
    assert not word or word not in str(raised.value)
    assert gateway.asked == []
    if word:
        with pytest.raises(errors.InvalidArgument, match="the purpose"):
            GatewayClient(address, tls(certs, "client"), lambda _: "token", purpose=word)


async def test_a_token_never_goes_out_in_clear_text() -> None:
    with pytest.raises(errors.InvalidArgument) as raised:
        GatewayClient("127.0.0.1:1", TlsSettings(), lambda _: "token")
    assert raised.value.reason == "TLS_NEEDED"


ASKED = router.GenerateRequest(tenant="bank-a", text="从前")


async def test_an_answer_comes_in_parts(gateway: FakeGateway, address: str, certs: Path) -> None:
    async with GatewayClient(address, tls(certs, "client"), by_tenant({"bank-a": "token-a"}), purpose="customer-service") as client:
        assert [part.delta.text async for part in client.generate(ASKED)] == ["你好", "，", "世界"]
    assert gateway.asked == [ASKED]
    assert gateway.headers == [{"authorization": "Bearer token-a", "x-finmesh-purpose": "customer-service"}]


async def test_closing_an_answer_ends_it_at_the_gateway(gateway: FakeGateway, address: str, certs: Path) -> None:
    gateway.pieces = ["字" * 20_000] * 10_000
    async with GatewayClient(address, tls(certs, "client"), lambda _: "token") as client:
        async with aclosing(client.generate(ASKED)) as parts:
            await anext(parts)
        await gateway.left.wait()


@pytest.mark.parametrize(
    "failure", [errors.QuotaExceeded("used up", reason="TOKENS_EXHAUSTED", retry_after_s=9.0), errors.Unavailable("x")]
)
@pytest.mark.parametrize("retried", [False, True])
async def test_an_answer_that_breaks_off_is_not_begun_again(
    gateway: FakeGateway, address: str, certs: Path, failure: errors.MeshError, retried: bool
) -> None:
    gateway.breaks = failure
    told = []
    async with GatewayClient(address, tls(certs, "client"), lambda _: "token", retried=retried) as client:
        with pytest.raises(type(failure)) as raised:
            async for part in client.generate(ASKED):
                told.append(part.delta.text)  # noqa: PERF401  what came before the error counts
    assert told == gateway.pieces and len(gateway.asked) == 1
    assert (raised.value.reason, raised.value.retry_after_s) == (failure.reason, failure.retry_after_s)


async def test_models_and_engines_are_listed(gateway: FakeGateway, address: str, certs: Path) -> None:
    async with GatewayClient(address, tls(certs, "client"), lambda _: "token") as client:
        assert [model.name for model in await client.list_models("bank-a", "research")] == ["smollm2"]
        assert [backend.age_ms for backend in await client.list_backends("bank-a")] == [7]
    assert gateway.asked == [router.ListModelsRequest(tenant="bank-a", scenario="research"), router.ListBackendsRequest(tenant="bank-a")]
