"""The service of an evaluation, by RPC: a principal of its own in a tenant of its own, through rag's door as the gateway would call it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping

from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2, rag_service_pb2_grpc
from finmesh.rag.v1 import rag_service_pb2 as pb
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import FailedPrecondition
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.metadata import CLEARANCE, PRINCIPAL, PURPOSE, REQUEST_ID, TENANT

from finmesh_cli.knowledge.dataset import MEDIA_TYPE, Document

TENANT_NAME, PERSON = "evaluation", "evaluator"
_PART_BYTES = 1024 * 1024
_LOOK_S = 0.2
_TUNE_S = 1_800.0
_PIPELINES = {
    "lexical": pb.PIPELINE_LEXICAL,
    "dense": pb.PIPELINE_DENSE,
    "fused_unscoped": pb.PIPELINE_UNSCOPED,
    "fused": pb.PIPELINE_FUSED,
}


class RagService:
    """Port Knowledge over a channel to rag."""

    def __init__(self, channel: MeshChannel) -> None:
        self._stub = rag_service_pb2_grpc.RagServiceStub(channel)
        self._submitted = 0

    async def open(self) -> None:
        """Let the evaluator read what detection grades above the lowest: its rights are a grant like anybody's."""
        request = pb.SetGrantRequest(tenant=TENANT_NAME, principal=PERSON, clearance=grade_pb2.DATA_GRADE_L3)
        await self._stub.SetGrant(request, metadata=_facts())

    async def submit(self, document: Document) -> None:
        """Hand a document in, in parts."""
        sha256 = hashlib.sha256(document.content).digest()
        begun = await self._stub.BeginUpload(
            pb.BeginUploadRequest(tenant=TENANT_NAME, size_bytes=len(document.content), content_sha256=sha256), metadata=_facts()
        )
        for offset in range(begun.received_bytes, len(document.content), _PART_BYTES):
            part = document.content[offset : offset + _PART_BYTES]
            request = pb.PutPartRequest(tenant=TENANT_NAME, upload_id=begun.upload_id, offset=offset, part=part)
            await self._stub.PutPart(request, metadata=_facts())
        description = document_pb2.DocumentDescription(
            document_id=document.document_id,
            source_version=1,
            title=document.title[:500],
            media_type=MEDIA_TYPE,
            access=document_pb2.Access(grade=grade_pb2.DATA_GRADE_L1),
        )
        request_ = pb.CommitUploadRequest(tenant=TENANT_NAME, upload_id=begun.upload_id, description=description)
        await self._stub.CommitUpload(request_, metadata=_facts())
        self._submitted += 1

    async def settled(self, say: Callable[[int], None]) -> int:
        """Wait until nothing waits, and both indexes have come as far as the ledger; return how many versions cannot be found."""
        told = -1
        while True:
            status = await self._stub.GetStatus(pb.GetStatusRequest(tenant=TENANT_NAME), metadata=_facts())
            has_dense = "NO_DENSE_LEG" not in status.degradations
            done = status.sequence <= status.searchable_sequence and (not has_dense or status.sequence <= status.vector_sequence)
            if status.waiting != told:
                say(told := status.waiting)
            if not status.waiting and done and sum(status.versions.values()) >= self._submitted:
                return sum(count for state, count in status.versions.items() if state in ("QUARANTINED", "FAILED"))
            await asyncio.sleep(_LOOK_S)

    async def tune(self) -> Mapping[str, float]:
        """Have the service weigh its legs."""
        try:
            told = self._stub.Tune(pb.TuneRequest(tenant=TENANT_NAME), metadata=_facts(), timeout=_TUNE_S)
            weights = [weight async for each in told for weight in each.weights]
        except FailedPrecondition as error:
            if error.reason == "NO_DENSE_LEG":
                return {}
            raise
        return {each.language: each.dense for each in weights}

    async def search(self, question: str, pipeline: str, scope: str, depth: int) -> list[str]:
        """Return record ids, best first."""
        request = pb.SearchRequest(
            tenant=TENANT_NAME,
            question=question[:4_000],
            pipeline=_PIPELINES[pipeline],
            limit=depth,
            collapse_records=True,
            scope=pb.Scope(documents=[scope] if scope else []),
        )
        found = await self._stub.Search(request, metadata=_facts())
        return [passage.record_id for passage in found.passages]


def _facts() -> list[tuple[str, str]]:
    return [(TENANT, TENANT_NAME), (PRINCIPAL, PERSON), (PURPOSE, "evaluation"), (CLEARANCE, "4"), (REQUEST_ID, uuid7())]
