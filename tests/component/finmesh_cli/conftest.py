"""The command against a real gRPC server with mutual TLS.

The gateway behind it is a neighbour that stores decisions; its audit log is a real one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from finmesh.audit.v1 import audit_record_pb2
from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.common.v1.money_pb2 import Money
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.gateway.v1 import gateway_service_pb2_grpc as pb_grpc
from finmesh.inference.v1.backend_state_changed_pb2 import BackendStateChanged
from finmesh.otc.v1 import otc_service_pb2 as otc
from finmesh.risk.v1 import decision_pb2, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_cli.__main__ import app
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.config import TlsSettings
from meshkit.errors import InvalidArgument, NotFound
from meshkit.rpc.chain import current_call
from meshkit.rpc.server import MeshServer
from provisioning import certificates, tokens
from translog.entries import Batch, Keys, NextOffset, Record, Source
from translog.log import Log
from translog.note import Signer
from translog.reader import Leaf
from translog.sqlite import SqliteDatabase
from typer.testing import CliRunner, Result

from tests.component.gateway.scripted_router import ANSWER, Part

NOW_MS = 1_795_000_000_000
TENANT = "bank-a"
Cli = Callable[..., Awaitable[Result]]


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    now = dt.datetime.now(dt.UTC)
    certificates.ensure_certificates(folder, now)
    tokens.ensure_token(folder, now)
    return folder


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer("audit.finmesh.test/log", bytes(range(32)))


@dataclass
class AuditLog:
    """A real log on SQLite, filled as the audit service would."""

    log: Log
    path: Path
    written: int = 0

    def write(self, *records: audit_record_pb2.AuditRecord) -> None:
        offset = self.written
        entries = [
            Record(
                record.SerializeToString(),
                Keys(record.audit_record_id, record.request_id, record.decision_id, record.tenant),
                Source("audit", 0, "topic-id", offset + number),
            )
            for number, record in enumerate(records)
        ]
        self.written += len(records)
        self.log.append(Batch(tuple(entries), NOW_MS, (NextOffset("audit", 0, "topic-id", self.written),)))


@pytest.fixture
def audit_log(tmp_path: Path, signer: Signer) -> Any:
    database = SqliteDatabase.open_writer(tmp_path / "audit.db")
    log = Log.open(database, signer=signer, seal=lambda content: content[::-1], commit=lambda content: [], now_ms=NOW_MS)
    yield AuditLog(log, tmp_path / "audit.db")
    database.close()


def leaf_message(leaf: Leaf) -> audit.Leaf:
    return audit.Leaf(
        index=leaf.index,
        kind=audit.LEAF_KIND_RECORD,
        body=leaf.body,
        leaf_hash=leaf.leaf_hash,
        received_time=Timestamp(seconds=NOW_MS // 1000),
    )


@dataclass
class FakeGateway(pb_grpc.GatewayServiceServicer):
    """Decides everything the same way, audits it when told to, and remembers what it was asked."""

    audit_log: AuditLog
    audits: bool = True
    failure: Exception | None = None
    replayed: bool = False
    spoil: Callable[[audit.GetInclusionProofResponse], None] = lambda response: None
    forge: Callable[[audit_record_pb2.AuditRecord], None] = lambda record: None
    asked: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    rule_test: risk.BacktestRulesResponse = field(default_factory=risk.BacktestRulesResponse)
    by_uetr: dict[str, str] = field(default_factory=dict)
    script: Sequence[Part] = ANSWER
    left: asyncio.Event = field(default_factory=asyncio.Event)
    models: list[router.Model] = field(default_factory=list)
    backends: list[router.Backend] = field(default_factory=list)
    changes: list[BackendStateChanged] = field(default_factory=list)
    inquiries: list[otc.ParseOtcInquiryResponse | Exception] = field(default_factory=list)

    def _note(self, request: Any) -> None:
        self.asked.append(request.request)
        self.headers.append({str(key): str(value) for key, value in current_call().metadata})
        if self.failure is not None:
            raise self.failure

    def decide(self, transaction: transaction_pb2.TransactionAuthorizationRequested) -> decision_pb2.TransactionDecided:
        digest = hashlib.sha256(transaction.identity.SerializeToString(deterministic=True)).hexdigest()
        decision = decision_pb2.TransactionDecided(
            decision_id=f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}",
            tenant=transaction.tenant,
            channel=transaction.channel,
            mode=decision_pb2.CHANNEL_MODE_LIVE,
            outcome=decision_pb2.OUTCOME_REVIEW,
            recommended_outcome=decision_pb2.OUTCOME_DECLINE,
            score=0.731205,
            reasons=[
                decision_pb2.Reason(code="R_FAN_IN", contribution=1.25),
                decision_pb2.Reason(code="R_NEWER_THAN_THE_COMMAND", contribution=0.5),
            ],
            rule_hits=["mule-fan-in"],
            thresholds=[0.3, 0.55, 0.85],
            versions=decision_pb2.DecisionVersions(
                feature_schema_version=1, rule_set_version="r7", model_version="3", model_digest="ab" * 8
            ),
            event_time=transaction.event_time,
            decided_time=Timestamp(seconds=NOW_MS // 1000),
            amount=transaction.amount or Money(),
            trace_id=bytes.fromhex("0af7651916cd43dd8448eb211c80319c"),
            purpose="fraud-prevention",
        )
        self.stored[decision.decision_id] = decision.SerializeToString()
        self.by_uetr[transaction.identity.uetr] = decision.decision_id
        record = audit_record_pb2.AuditRecord(
            audit_record_id=f"audit-{digest[:12]}",
            producer="risk-scoring",
            tenant=decision.tenant,
            decision_id=decision.decision_id,
            outcome=decision_pb2.Outcome.Name(decision.outcome),
            reason_codes=[reason.code for reason in decision.reasons],
            model_version=decision.versions.model_version,
            rule_set_version=decision.versions.rule_set_version,
            model_digest=decision.versions.model_digest,
            model_sha256=b"\xab" * 32,
            rules_sha256=b"\xcd" * 32,
            thresholds_sha256=b"\xef" * 32,
            build="risk-scoring/0.2.0+3f2c1ab",
        )
        self.forge(record)
        if self.audits:
            self.audit_log.write(record)
        return decision

    async def ScoreTransaction(self, request: pb.ScoreTransactionRequest, context: Any) -> pb.ScoreTransactionResponse:
        self._note(request)
        decision = self.decide(request.request.transaction)
        return pb.ScoreTransactionResponse(
            response=risk.ScoreTransactionResponse(
                decision_record=self.stored[decision.decision_id], decision_id=decision.decision_id, replayed=self.replayed
            )
        )

    async def GetDecision(self, request: pb.GetDecisionRequest, context: Any) -> pb.GetDecisionResponse:
        self._note(request)
        asked = request.request
        wanted = asked.decision_id or self.by_uetr.get(asked.identity.uetr, "")
        if wanted not in self.stored:
            raise NotFound("no decision is stored", reason="DECISION_UNKNOWN")
        return pb.GetDecisionResponse(response=risk.GetDecisionResponse(decision_record=self.stored[wanted]))

    async def ChangeListEntry(self, request: pb.ChangeListEntryRequest, context: Any) -> pb.ChangeListEntryResponse:
        self._note(request)
        return pb.ChangeListEntryResponse()

    async def BacktestRules(self, request: pb.BacktestRulesRequest, context: Any) -> pb.BacktestRulesResponse:
        self._note(request)
        return pb.BacktestRulesResponse(response=self.rule_test)

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:
        self._note(request)
        try:
            for part in self.script:
                if isinstance(part, Exception):
                    raise part
                if isinstance(part, router.GenerateResponse):
                    yield pb.GenerateResponse(response=part)
                else:
                    await part()
        finally:
            self.left.set()

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        self._note(request)
        return pb.ListModelsResponse(response=router.ListModelsResponse(models=self.models))

    async def ListBackends(self, request: pb.ListBackendsRequest, context: Any) -> pb.ListBackendsResponse:
        self._note(request)
        return pb.ListBackendsResponse(
            response=router.ListBackendsResponse(
                backends=self.backends, changes=self.changes[-request.request.changes :] if request.request.changes else []
            )
        )

    async def ParseOtcInquiry(self, request: pb.ParseOtcInquiryRequest, context: Any) -> pb.ParseOtcInquiryResponse:
        self._note(request)
        told = self.inquiries[0]
        if isinstance(told, Exception):
            if isinstance(told, InvalidArgument):
                self.inquiries.pop(0)
            raise told  # what may pass is repeated
        return pb.ParseOtcInquiryResponse(response=self.inquiries.pop(0))  # type: ignore[arg-type]

    async def ListRecords(self, request: pb.ListRecordsRequest, context: Any) -> pb.ListRecordsResponse:
        self._note(request)
        asked, size = request.request, 1  # the smallest pages there are
        after = int(asked.page_token or -1)
        found = self.audit_log.log.reader.find(decision_id=asked.decision_id, tenant=asked.tenant, after=after, limit=size + 1)
        token = str(found[size - 1].index) if len(found) > size else ""
        leaves = [leaf_message(leaf) for leaf in found[:size]]
        return pb.ListRecordsResponse(response=audit.ListRecordsResponse(leaves=leaves, next_page_token=token))

    async def GetInclusionProof(self, request: pb.GetInclusionProofRequest, context: Any) -> pb.GetInclusionProofResponse:
        self._note(request)
        proof = self.audit_log.log.reader.inclusion(request.request.audit_record_id, request.request.tree_size)
        response = audit.GetInclusionProofResponse(
            leaf=leaf_message(proof.leaf), tree_size=proof.size, hashes=proof.hashes, checkpoint=proof.note
        )
        self.spoil(response)
        return pb.GetInclusionProofResponse(response=response)

    async def GetConsistencyProof(self, request: pb.GetConsistencyProofRequest, context: Any) -> pb.GetConsistencyProofResponse:
        self._note(request)
        proof = self.audit_log.log.reader.consistency(request.request.first_tree_size, request.request.second_tree_size)
        return pb.GetConsistencyProofResponse(
            response=audit.GetConsistencyProofResponse(hashes=proof.hashes, second_tree_size=proof.new_size, checkpoint=proof.new_note)
        )

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        self._note(request)
        _, key = self.audit_log.log.reader.require()
        return pb.GetCheckpointResponse(response=audit.GetCheckpointResponse(checkpoint=self.audit_log.log.note, verifier_key=key))


@pytest.fixture
def gateway(audit_log: AuditLog) -> FakeGateway:
    return FakeGateway(audit_log)


@pytest.fixture
async def address(gateway: FakeGateway, certs: Path) -> AsyncIterator[str]:
    own = TlsSettings(certificate=certs / "gateway.pem", key=certs / "gateway.key", authority=certs / "authority.pem")
    server = MeshServer("127.0.0.1:0", own, callers=["client"])
    pb_grpc.add_GatewayServiceServicer_to_server(gateway, server)
    await server.start()
    yield server.address
    await server.stop(0)


@pytest.fixture
def cli(address: str, certs: Path) -> Cli:
    """Runs the command in a thread, while the server lives in this test's loop."""

    async def run(*arguments: str, language: str = "en", stdin: str | bytes | None = None, **options: str) -> Result:
        shared = {"gateway": address, "certs": str(certs), "language": language, **options}
        line = [word for name, value in shared.items() for word in (f"--{name}", value)]
        return await asyncio.to_thread(CliRunner().invoke, app, [*line, *arguments], input=stdin)

    return run
