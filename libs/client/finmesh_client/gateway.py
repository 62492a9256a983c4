"""One client of the gateway: mutual TLS, a bearer token, typed errors; a method for each RPC that a caller of ours needs.

Raises the errors of ``meshkit.errors`` and nothing of gRPC's. How long to insist is the caller's matter: the most that happens here is a
quick second attempt of the channel (``retried``), and of a stream none once its first response has come.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Self

from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.gateway.v1 import gateway_service_pb2_grpc as pb_grpc
from finmesh.otc.v1 import otc_service_pb2 as otc
from finmesh.rag.v1 import rag_service_pb2 as rag
from finmesh.risk.v1 import list_entry_pb2, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from finmesh.router.v1 import router_service_pb2 as router
from google.protobuf.message import Message
from meshkit.config import TlsSettings
from meshkit.errors import InvalidArgument
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.metadata import PURPOSE
from meshkit.rpc.tls import is_configured

from finmesh_client.tokens import TokenSource

_SERVICE = pb.DESCRIPTOR.services_by_name["GatewayService"].full_name
GENERATE_S = 300.0
"""How long the gateway lets a generation take."""
TUNE_S = 300.0
"""How long it lets weighing take."""

_PAGE = 1000
_HEADER = re.compile(r"[!-~]+")


class GatewayClient:
    """Use as an asynchronous context manager.

    ``target``: host:port (by DNS), or a list ``ipv4:a:1,b:2``. ``tokens`` is asked before each call. ``timeout_s`` bounds calls that name
    none, ``GENERATE_S`` generations. ``retried``: repeat what cannot be reached a few times within the timeout; every RPC may be.
    """

    def __init__(
        self, target: str, tls: TlsSettings, tokens: TokenSource, *, purpose: str = "", timeout_s: float = 5.0, retried: bool = False
    ) -> None:
        if not is_configured(tls):
            raise InvalidArgument("a token is never sent in clear text: certificate, key and authority are needed", reason="TLS_NEEDED")
        self._tokens = tokens
        self._headers = ((PURPOSE, _header("the purpose", purpose)),) if purpose else ()
        self._channel = MeshChannel(target, tls, timeout_s=timeout_s, idempotent=(_SERVICE,) if retried else ())
        self._stub: Any = pb_grpc.GatewayServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        """Return the client; it connects with the first call."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        await self._channel.close()

    async def score_transaction(
        self, transaction: transaction_pb2.TransactionAuthorizationRequested, timeout_s: float | None = None
    ) -> risk.ScoreTransactionResponse:
        """Decide one transaction."""
        asked = risk.ScoreTransactionRequest(transaction=transaction)
        response: risk.ScoreTransactionResponse = await self._call("ScoreTransaction", transaction.tenant, asked, timeout_s)
        return response

    async def get_decision(self, asked: risk.GetDecisionRequest) -> bytes:
        """Return the exact bytes of a stored decision record."""
        response: risk.GetDecisionResponse = await self._call("GetDecision", asked.tenant, asked)
        return response.decision_record

    async def change_list_entry(self, entry: list_entry_pb2.ListEntryChanged) -> None:
        """Set or remove a list entry."""
        await self._call("ChangeListEntry", entry.tenant, risk.ChangeListEntryRequest(entry=entry))

    async def backtest_rules(self, asked: risk.BacktestRulesRequest, timeout_s: float) -> risk.BacktestRulesResponse:
        """Ask what a rule set would have decided."""
        response: risk.BacktestRulesResponse = await self._call("BacktestRules", asked.tenant, asked, timeout_s)
        return response

    async def list_records(self, tenant: str, decision_id: str) -> list[audit.Leaf]:
        """Return every leaf of the log about a decision, oldest first; a log is written behind the decision, so there may be none yet."""
        leaves: list[audit.Leaf] = []
        token = ""
        while True:
            asked = audit.ListRecordsRequest(tenant=tenant, decision_id=decision_id, page_size=_PAGE, page_token=token)
            page: audit.ListRecordsResponse = await self._call("ListRecords", tenant, asked)
            leaves.extend(page.leaves)
            token = page.next_page_token
            if not token:
                return leaves

    async def get_statistics(self, tenant: str) -> audit.GetStatisticsResponse:
        """Return what the audit log counts."""
        response: audit.GetStatisticsResponse = await self._call("GetStatistics", tenant, audit.GetStatisticsRequest(tenant=tenant))
        return response

    async def get_inclusion_proof(self, tenant: str, audit_record_id: str) -> audit.GetInclusionProofResponse:
        """Return a proof, not yet verified, against the newest checkpoint."""
        asked = audit.GetInclusionProofRequest(tenant=tenant, audit_record_id=audit_record_id)
        response: audit.GetInclusionProofResponse = await self._call("GetInclusionProof", tenant, asked)
        return response

    async def get_consistency_proof(self, first: int, tenant: str = "") -> audit.GetConsistencyProofResponse:
        """Return a proof, not yet verified, that the log only grew since it had ``first`` leaves. ``tenant``: whose token is shown."""
        asked = audit.GetConsistencyProofRequest(first_tree_size=first)
        response: audit.GetConsistencyProofResponse = await self._call("GetConsistencyProof", tenant, asked)
        return response

    async def get_checkpoint(self, tenant: str = "") -> audit.GetCheckpointResponse:
        """Return the newest checkpoint and the log's verifier key, as the log states it. ``tenant``: whose token is shown."""
        response: audit.GetCheckpointResponse = await self._call("GetCheckpoint", tenant, audit.GetCheckpointRequest())
        return response

    def generate(self, asked: router.GenerateRequest, timeout_s: float = GENERATE_S) -> AsyncGenerator[router.GenerateResponse, None]:
        """Yield the parts of an answer as they come. Closing it (`contextlib.aclosing`) ends the work for it everywhere."""
        return self._many("Generate", asked.tenant, asked, timeout_s)

    async def parse_otc_inquiry(self, asked: otc.ParseOtcInquiryRequest, timeout_s: float | None = None) -> otc.ParseOtcInquiryResponse:
        """Read what a client of the OTC desk wrote."""
        response: otc.ParseOtcInquiryResponse = await self._call("ParseOtcInquiry", asked.tenant, asked, timeout_s)
        return response

    async def list_models(self, tenant: str, scenario: str = "") -> list[router.Model]:
        """Return the models that a scenario may use; ``assistant`` unless one is named."""
        asked = router.ListModelsRequest(tenant=tenant, scenario=scenario)
        response: router.ListModelsResponse = await self._call("ListModels", tenant, asked)
        return list(response.models)

    async def list_backends(self, tenant: str) -> list[router.Backend]:
        """Return the engines and what they do."""
        return list((await self.pool(tenant)).backends)

    async def pool(self, tenant: str, changes: int = 0) -> router.ListBackendsResponse:
        """Return the engines, what they do, and so many of the newest changes of their states."""
        asked = router.ListBackendsRequest(tenant=tenant, changes=changes)
        response: router.ListBackendsResponse = await self._call("ListBackends", tenant, asked)
        return response

    def ask(self, asked: rag.AskRequest, timeout_s: float = GENERATE_S) -> AsyncGenerator[rag.AskResponse, None]:
        """Yield the parts of an answer from documents as they come."""
        return self._many("Ask", asked.tenant, asked, timeout_s)

    def tune(self, tenant: str, timeout_s: float = TUNE_S) -> AsyncGenerator[rag.TuneResponse, None]:
        """Have the legs of a tenant's searches weighed; yield how far it is, then the weights. Left before the end, it changes nothing."""
        return self._many("Tune", tenant, rag.TuneRequest(tenant=tenant), timeout_s)

    async def knowledge(self, asked: Any, timeout_s: float | None = None) -> Any:
        """Return what rag answers to any of its requests but questions: a ``SearchRequest`` gets a ``SearchResponse``."""
        return await self._call(asked.DESCRIPTOR.name.removesuffix("Request"), asked.tenant, asked, timeout_s)

    async def _call(self, rpc: str, tenant: str, asked: Message, timeout_s: float | None = None) -> Any:
        request = getattr(pb, f"{rpc}Request")(request=asked)
        answer = await getattr(self._stub, rpc)(request, metadata=self._metadata(tenant), timeout=timeout_s)
        return answer.response

    async def _many(self, rpc: str, tenant: str, asked: Message, timeout_s: float) -> AsyncGenerator[Any, None]:
        request = getattr(pb, f"{rpc}Request")(request=asked)
        async with aclosing(getattr(self._stub, rpc)(request, metadata=self._metadata(tenant), timeout=timeout_s)) as responses:
            async for response in responses:
                yield response.response

    def _metadata(self, tenant: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {_header('the token', self._tokens(tenant))}"), *self._headers)


def _header(what: str, value: str) -> str:
    """Return the value. Raises InvalidArgument, which does not tell it, for what no header can hold."""
    if not _HEADER.fullmatch(value):
        raise InvalidArgument(f"{what} is not one word of ASCII", reason="HEADER_INVALID")
    return value
