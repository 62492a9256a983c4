"""RagService: translate, call, translate."""

from __future__ import annotations

from dataclasses import dataclass

from finmesh.rag.v1 import rag_service_pb2 as pb
from finmesh.rag.v1 import rag_service_pb2_grpc
from meshkit.errors import PermissionDenied
from meshkit.rpc.chain import current_call
from meshkit.rpc.metadata import CallerFacts, caller_facts
from meshkit.tenants import checked_tenant

from rag import ports
from rag.domain.document import State
from rag.translate import answers, custody, documents, tuning
from rag.usecases.begin_upload import begin_upload
from rag.usecases.commit_upload import CommitUpload
from rag.usecases.decide_quarantine import DecideQuarantine
from rag.usecases.get_status import GetStatus
from rag.usecases.purge import Purge
from rag.usecases.put_part import put_part
from rag.usecases.set_grant import SetGrant
from rag.usecases.set_hold import SetHold
from rag.usecases.tune import Tune
from rag.usecases.withdraw_document import WithdrawDocument


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the RPCs call."""

    blobs: ports.Blobs
    commit_upload: CommitUpload
    withdraw_document: WithdrawDocument
    get_status: GetStatus
    tune: Tune
    set_grant: SetGrant
    set_hold: SetHold
    decide_quarantine: DecideQuarantine
    purge: Purge


def caller(tenant: str) -> CallerFacts:
    """Return who calls. Raises PermissionDenied for another tenant than the gateway established (empty only on loopback without one)."""
    facts = caller_facts(current_call())
    if checked_tenant(tenant) != facts.tenant and facts.tenant:
        raise PermissionDenied("the token is for another tenant", reason="TENANT_MISMATCH")
    return facts


class RagServicer(rag_service_pb2_grpc.RagServiceServicer):
    """One method per RPC."""

    def __init__(self, use: UseCases) -> None:
        self._use = use

    async def BeginUpload(self, request: pb.BeginUploadRequest, context: object) -> pb.BeginUploadResponse:  # noqa: N802
        """Begin an upload."""
        facts = caller(request.tenant)
        upload = await begin_upload(self._use.blobs, request.tenant, facts.principal, request.size_bytes, request.content_sha256)
        return pb.BeginUploadResponse(upload_id=upload.upload_id, received_bytes=upload.received_bytes)

    async def PutPart(self, request: pb.PutPartRequest, context: object) -> pb.PutPartResponse:  # noqa: N802
        """Take a part."""
        facts = caller(request.tenant)
        upload = await put_part(self._use.blobs, request.tenant, facts.principal, request.upload_id, request.offset, request.part)
        return pb.PutPartResponse(received_bytes=upload.received_bytes)

    async def CommitUpload(self, request: pb.CommitUploadRequest, context: object) -> pb.CommitUploadResponse:  # noqa: N802
        """Complete an upload and enrol its document."""
        facts = caller(request.tenant)
        version = await self._use.commit_upload(
            request.tenant,
            facts.principal,
            request.upload_id,
            lambda blob, sha256: documents.submission(
                request.description,
                tenant=request.tenant,
                submitted_by=facts.principal,
                blob=blob,
                sha256=sha256,
            ),
        )
        return pb.CommitUploadResponse(version=documents.version_message(version))

    async def WithdrawDocument(self, request: pb.WithdrawDocumentRequest, context: object) -> pb.WithdrawDocumentResponse:  # noqa: N802
        """Hide a document."""
        caller(request.tenant)
        document_id = documents.document_id(request.document_id)
        return pb.WithdrawDocumentResponse(sequence=await self._use.withdraw_document(request.tenant, document_id, request.source_version))

    async def SetGrant(self, request: pb.SetGrantRequest, context: object) -> pb.SetGrantResponse:  # noqa: N802
        """Grant rights."""
        curator = answers.caller(request.tenant, caller(request.tenant))
        return pb.SetGrantResponse(sequence=await self._use.set_grant(curator, request.principal, custody.grant(request)))

    async def SetHold(self, request: pb.SetHoldRequest, context: object) -> pb.SetHoldResponse:  # noqa: N802
        """Set or lift a legal hold."""
        curator = answers.caller(request.tenant, caller(request.tenant))
        await self._use.set_hold(curator, documents.document_id(request.document_id), request.held, custody.why(request.why))
        return pb.SetHoldResponse()

    async def DecideQuarantine(self, request: pb.DecideQuarantineRequest, context: object) -> pb.DecideQuarantineResponse:  # noqa: N802
        """Release a version, or refuse it."""
        curator, document_id = answers.caller(request.tenant, caller(request.tenant)), documents.document_id(request.document_id)
        why = custody.why(request.why)
        version = await self._use.decide_quarantine(curator, document_id, request.source_version, request.release_at, why)
        return pb.DecideQuarantineResponse(version=documents.version_message(version))

    async def Purge(self, request: pb.PurgeRequest, context: object) -> pb.PurgeResponse:  # noqa: N802
        """Destroy a document."""
        curator = answers.caller(request.tenant, caller(request.tenant))
        purge = await self._use.purge(curator, documents.document_id(request.document_id), custody.why(request.why))
        return pb.PurgeResponse(sequence=purge.sequence, finished=purge.finished)

    async def GetStatus(self, request: pb.GetStatusRequest, context: object) -> pb.GetStatusResponse:  # noqa: N802
        """Say how far everything is."""
        caller(request.tenant)
        status = await self._use.get_status(request.tenant)
        return pb.GetStatusResponse(
            sequence=status.sequence,
            searchable_sequence=status.searchable,
            waiting=status.versions.get(State.ENROLLED, 0),
            versions={str(state): count for state, count in status.versions.items()},
            degradations=status.degradations,
        )

    async def Tune(self, request: pb.TuneRequest, context: object) -> pb.TuneResponse:  # noqa: N802
        """Weigh the legs."""
        facts = caller(request.tenant)
        return tuning.tuned(await self._use.tune(request.tenant, facts.principal))
