"""A gateway in process, with real sockets and mutual TLS, in front of a risk-scoring and a router that remember what reached them."""

import asyncio
import datetime as dt
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from finmesh.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from finmesh.otc.v1 import otc_service_pb2_grpc as otc_grpc
from finmesh.rag.v1 import rag_service_pb2_grpc as rag_grpc
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh.risk.v1 import risk_scoring_service_pb2_grpc as risk_grpc
from finmesh.router.v1 import router_service_pb2_grpc as router_grpc
from gateway.config import AuthSettings, GatewayConfig, QuotaSettings
from gateway.main.grpc import serve
from meshkit.config import RedisSettings, TlsSettings
from meshkit.errors import MeshError
from meshkit.rpc import deadline
from meshkit.rpc.chain import current_call
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.metadata import CallerFacts, caller_facts
from meshkit.rpc.responses import Responses
from meshkit.rpc.server import MeshServer
from meshkit.service import Service
from meshkit.testing.events import MemoryEvents
from meshkit.testing.serving import running, serving
from provisioning import certificates, tokens

from tests.component.gateway.audit_topic import AuditTopic
from tests.component.gateway.scripted_rag import ScriptedRag
from tests.component.gateway.scripted_router import ScriptedDesk, ScriptedRouter

NOWHERE = "127.0.0.1:1"
collect_ignore = [] if "FINMESH_TEST_CLIENTS" in os.environ else ["test_openai_litellm.py"]


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of every identity, a key set and a token."""
    folder = tmp_path_factory.mktemp("certs")
    now = dt.datetime.now(dt.UTC)
    certificates.ensure_certificates(folder, now, ["stranger", "router"])
    tokens.ensure_token(folder, now)
    return folder


def tls(certs: Path, identity: str) -> TlsSettings:
    """TLS settings of one workload."""
    return TlsSettings(certificate=certs / f"{identity}.pem", key=certs / f"{identity}.key", authority=certs / "authority.pem")


def bearer(certs: Path, **changes: Any) -> tuple[tuple[str, str], ...]:
    """Metadata with a fresh token; ``changes`` replace claims, None leaves one out."""
    return (("authorization", "Bearer " + tokens.mint(tokens.issuer_key(certs), dt.datetime.now(dt.UTC), **changes)),)


@dataclass
class RiskScoring(risk_grpc.RiskScoringServiceServicer):
    """A neighbour: answers, fails as told, remembers."""

    failure: Exception | None = None
    facts: list[CallerFacts] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    remaining_s: list[float] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Answer at once until a test clears ``release``."""
        self.release.set()

    async def _note(self, request: Any) -> None:
        self.entered.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.requests.append(request)
        self.facts.append(caller_facts(current_call()))
        self.remaining_s.append(deadline.remaining_s() or -1.0)
        if self.failure is not None:
            raise self.failure

    async def ScoreTransaction(self, request: Any, context: Any) -> risk.ScoreTransactionResponse:
        """Approve."""
        await self._note(request)
        return risk.ScoreTransactionResponse(decision_id="d-1", outcome="OUTCOME_APPROVE", decision_record=b"x" * 300)

    async def ScorePacs008(self, request: Any, context: Any) -> risk.ScorePacs008Response:
        """One error per document."""
        await self._note(request)
        return risk.ScorePacs008Response(results=[risk.Pacs008Result(error_reason="INVALID_TRANSACTION")])

    async def GetDecision(self, request: Any, context: Any) -> risk.GetDecisionResponse:
        """A stored record."""
        await self._note(request)
        return risk.GetDecisionResponse(decision_record=b"record")

    async def ChangeListEntry(self, request: Any, context: Any) -> risk.ChangeListEntryResponse:
        """Written."""
        await self._note(request)
        return risk.ChangeListEntryResponse()


@dataclass
class Door:
    """A running gateway and what stands around it."""

    address: str
    certs: Path
    risk: RiskScoring
    router: ScriptedRouter
    desk: ScriptedDesk
    rag: ScriptedRag
    routers_server: MeshServer
    service: Service
    stub: Any
    channel: MeshChannel
    policies: Path
    events: MemoryEvents

    def token(self, **changes: Any) -> tuple[tuple[str, str], ...]:
        """Metadata with a token."""
        return bearer(self.certs, **changes)

    async def failure(self, call: Any, request: Any, metadata: Any = None, **arguments: Any) -> MeshError:
        """Return the typed error of a call that must fail."""
        with pytest.raises(MeshError) as caught:
            answer = call(request, metadata=self.token() if metadata is None else metadata, **arguments)
            if isinstance(answer, Responses):
                answer = anext(answer)
            await answer
        return caught.value


OpenDoor = Callable[..., Any]


@pytest.fixture
def open_door(certs: Path, tmp_path: Path) -> OpenDoor:
    """Open a gateway: ``async with open_door(redis_url=..., quota=...) as door``."""

    @asynccontextmanager
    async def opened(
        redis_url: str = f"redis://{NOWHERE}/0",
        upstream: str | None = None,
        publisher: Any = None,
        topic: AuditTopic | None = None,
        **settings: Any,
    ) -> AsyncIterator[Door]:
        neighbour = RiskScoring()
        server = MeshServer("127.0.0.1:0", tls(certs, "risk-scoring"), callers={"gateway"})
        risk_grpc.add_RiskScoringServiceServicer_to_server(neighbour, server)
        router, desk = ScriptedRouter(), ScriptedDesk()
        routers_server = MeshServer("127.0.0.1:0", tls(certs, "router"), callers={"gateway"}, deadlines=Deadlines(300.0))
        router_grpc.add_RouterServiceServicer_to_server(router, routers_server)
        otc_grpc.add_OtcServiceServicer_to_server(desk, routers_server)
        rag = ScriptedRag()
        rags_server = MeshServer("127.0.0.1:0", tls(certs, "rag"), callers={"gateway"}, deadlines=Deadlines(300.0))
        rag_grpc.add_RagServiceServicer_to_server(rag, rags_server)
        policies = tmp_path / "policies"
        shutil.copytree(str(files("gateway") / "policies"), policies, dirs_exist_ok=True)
        neighbours = {"risk-scoring": upstream or server.address, "audit": NOWHERE}
        neighbours |= {"router": routers_server.address, "rag": rags_server.address}
        auth = {"jwks": certs / "jwks.json", "issuer": tokens.ISSUER, "audience": tokens.AUDIENCE, "policies": policies, "reload_s": 0.05}
        config = GatewayConfig(
            listen="127.0.0.1:0",
            http_listen="127.0.0.1:0",
            tls=tls(certs, "gateway"),
            redis=RedisSettings(url=redis_url, timeout_ms=500),
            upstream=neighbours,
            auth=AuthSettings(**(auth | settings.pop("auth", {}))),
            quota=QuotaSettings(**settings.pop("quota", {})),
            shutdown_grace_s=0.5,
            **settings,
        )
        events = MemoryEvents()
        made = partial(serve, config, publisher=publisher or (lambda _: events), topic=(topic or AuditTopic()).reader)
        async with serving(server), serving(routers_server), serving(rags_server), running(Service(config, "gateway"), made) as service:
            address = f"127.0.0.1:{service.port}"
            async with MeshChannel(address, tls(certs, "client"), server_name="gateway") as channel:
                stub = gateway_grpc.GatewayServiceStub(channel)
                yield Door(
                    address=address,
                    certs=certs,
                    risk=neighbour,
                    router=router,
                    desk=desk,
                    rag=rag,
                    routers_server=routers_server,
                    service=service,
                    stub=stub,
                    channel=channel,
                    policies=policies,
                    events=events,
                )

    return opened


@pytest.fixture
async def door(open_door: OpenDoor) -> AsyncIterator[Door]:
    """A gateway without Redis."""
    async with open_door() as opened:
        yield opened
