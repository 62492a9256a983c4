"""The gateway as the command line sees it: mutual TLS, a bearer token, typed errors. One method for each RPC that a subcommand needs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from finmesh.audit.v1 import audit_service_pb2 as audit
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.gateway.v1 import gateway_service_pb2_grpc as pb_grpc
from finmesh.risk.v1 import list_entry_pb2, transaction_pb2
from finmesh.risk.v1 import risk_scoring_service_pb2 as risk
from meshkit.config import TlsSettings
from meshkit.rpc import metadata
from meshkit.rpc.channel import MeshChannel

from finmesh_cli.failures import UsageError
from finmesh_cli.settings import Settings, endpoints

_PAGE = 1000
_HEADER = re.compile(r"[!-~]+")


class Gateway:
    """Calls of one command. Every method raises the typed errors of ``meshkit.errors``."""

    def __init__(self, channel: MeshChannel, headers: tuple[tuple[str, str], ...]) -> None:
        self._stub: Any = pb_grpc.GatewayServiceStub(channel)
        self._headers = headers

    async def _call(self, method: str, request: Any, timeout_s: float | None = None) -> Any:
        answer = await getattr(self._stub, method)(request, metadata=self._headers, timeout=timeout_s)
        return answer.response

    async def score(self, transaction: transaction_pb2.TransactionAuthorizationRequested) -> risk.ScoreTransactionResponse:
        """Decide one transaction."""
        request = pb.ScoreTransactionRequest(request=risk.ScoreTransactionRequest(transaction=transaction))
        response: risk.ScoreTransactionResponse = await self._call("ScoreTransaction", request)
        return response

    async def decision(self, request: risk.GetDecisionRequest) -> bytes:
        """Return the exact bytes of a stored decision record."""
        response: risk.GetDecisionResponse = await self._call("GetDecision", pb.GetDecisionRequest(request=request))
        return response.decision_record

    async def change(self, entry: list_entry_pb2.ListEntryChanged) -> None:
        """Set or remove a list entry."""
        await self._call("ChangeListEntry", pb.ChangeListEntryRequest(request=risk.ChangeListEntryRequest(entry=entry)))

    async def backtest_rules(self, request: risk.BacktestRulesRequest, timeout_s: float) -> risk.BacktestRulesResponse:
        """Ask what a rule set would have decided."""
        response: risk.BacktestRulesResponse = await self._call("BacktestRules", pb.BacktestRulesRequest(request=request), timeout_s)
        return response

    async def records(self, tenant: str, decision_id: str) -> list[audit.Leaf]:
        """Return every leaf of the log about a decision, oldest first."""
        leaves: list[audit.Leaf] = []
        token = ""
        while True:
            asked = audit.ListRecordsRequest(tenant=tenant, decision_id=decision_id, page_size=_PAGE, page_token=token)
            page: audit.ListRecordsResponse = await self._call("ListRecords", pb.ListRecordsRequest(request=asked))
            leaves.extend(page.leaves)
            token = page.next_page_token
            if not token:
                return leaves

    async def inclusion(self, tenant: str, audit_record_id: str, tree_size: int = 0) -> audit.GetInclusionProofResponse:
        """Return an inclusion proof against the newest checkpoint or that of ``tree_size``."""
        asked = audit.GetInclusionProofRequest(tenant=tenant, audit_record_id=audit_record_id, tree_size=tree_size)
        response: audit.GetInclusionProofResponse = await self._call("GetInclusionProof", pb.GetInclusionProofRequest(request=asked))
        return response

    async def consistency(self, first: int, second: int = 0) -> audit.GetConsistencyProofResponse:
        """Return a consistency proof between two sizes; 0 is the newest."""
        asked = audit.GetConsistencyProofRequest(first_tree_size=first, second_tree_size=second)
        response: audit.GetConsistencyProofResponse = await self._call("GetConsistencyProof", pb.GetConsistencyProofRequest(request=asked))
        return response

    async def checkpoint(self) -> audit.GetCheckpointResponse:
        """Return the newest checkpoint and the log's verifier key, as the log states it."""
        response: audit.GetCheckpointResponse = await self._call(
            "GetCheckpoint", pb.GetCheckpointRequest(request=audit.GetCheckpointRequest())
        )
        return response


def tls(settings: Settings) -> TlsSettings:
    """Return the client's certificate files. Raises UsageError when one is not there."""
    files = {"authority": "authority.pem", "certificate": "client.pem", "key": "client.key"}
    for name in files.values():
        if not (settings.certs / name).is_file():
            raise UsageError(f"no {settings.certs / name} (make certs, or --certs)")
    return TlsSettings(**{field: settings.certs / name for field, name in files.items()})


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Gateway]:
    """Open the gateway. Retries what cannot be reached, because every RPC of it is idempotent."""
    if not _HEADER.fullmatch(settings.purpose):
        raise UsageError("--purpose is a word of ASCII, such as fraud-prevention")
    headers = (("authorization", f"Bearer {settings.bearer()}"), (metadata.PURPOSE, settings.purpose))
    service = pb.DESCRIPTOR.services_by_name["GatewayService"].full_name
    target = endpoints("--gateway", settings.gateway)
    async with MeshChannel(target, tls(settings), timeout_s=settings.timeout_s, idempotent=(service,)) as channel:
        yield Gateway(channel, headers)
