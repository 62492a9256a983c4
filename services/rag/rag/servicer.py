"""RagService: translate, call, translate."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from finmesh.rag.v1 import document_pb2, rag_service_pb2_grpc
from finmesh.rag.v1 import rag_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from meshkit.clock import Clock
from meshkit.errors import PermissionDenied
from meshkit.rpc.chain import current_call
from meshkit.rpc.metadata import CallerFacts, caller_facts
from meshkit.tenants import checked_tenant

from rag import ports
from rag.domain.caller import Caller
from rag.domain.document import State, Version
from rag.domain.retrieval import Passage
from rag.steps.extents import Listed
from rag.steps.holds import Holds
from rag.translate import answers, clauses, custody, documents, searches, tuning
from rag.translate.times import micros
from rag.usecases.ask import Ask
from rag.usecases.begin_upload import begin_upload
from rag.usecases.commit_upload import CommitUpload
from rag.usecases.compare import Compare
from rag.usecases.decide_quarantine import DecideQuarantine
from rag.usecases.get_conversation import GetConversation
from rag.usecases.get_document import GetDocument
from rag.usecases.get_passage import GetPassage
from rag.usecases.get_status import GetStatus
from rag.usecases.list_clauses import ListClauses
from rag.usecases.list_documents import ListDocuments
from rag.usecases.list_reads import list_reads
from rag.usecases.list_unanswered import list_unanswered
from rag.usecases.purge import Purge
from rag.usecases.put_part import put_part
from rag.usecases.reset_conversation import reset_conversation
from rag.usecases.search import Search
from rag.usecases.send_feedback import send_feedback
from rag.usecases.set_grant import SetGrant
from rag.usecases.set_hold import SetHold
from rag.usecases.tune import Tune
from rag.usecases.withdraw_document import WithdrawDocument


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the RPCs call."""

    clock: Clock
    blobs: ports.Blobs
    conversations: ports.Conversations
    reports: ports.Reports
    ask: Ask
    get_passage: GetPassage
    get_conversation: GetConversation
    set_grant: SetGrant
    decide_quarantine: DecideQuarantine
    set_hold: SetHold
    purge: Purge
    holds: Holds
    commit_upload: CommitUpload
    withdraw_document: WithdrawDocument
    get_status: GetStatus
    tune: Tune
    search: Search
    list_documents: ListDocuments
    get_document: GetDocument
    list_clauses: ListClauses
    compare: Compare


def caller(tenant: str) -> CallerFacts:
    """Return who calls. Raises PermissionDenied for another tenant than the gateway established (empty only on loopback without one)."""
    facts = caller_facts(current_call())
    if checked_tenant(tenant) != facts.tenant and facts.tenant:
        raise PermissionDenied("the token is for another tenant", reason="TENANT_MISMATCH")
    return facts


def who(tenant: str) -> Caller:
    """Return who calls, for the domain. Raises as `caller`."""
    return answers.caller(tenant, caller(tenant))


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
        return pb.CommitUploadResponse(version=await self._curated(who(request.tenant), version))

    async def WithdrawDocument(self, request: pb.WithdrawDocumentRequest, context: object) -> pb.WithdrawDocumentResponse:  # noqa: N802
        """Hide a document."""
        by, document_id = who(request.tenant), documents.document_id(request.document_id)
        return pb.WithdrawDocumentResponse(sequence=await self._use.withdraw_document(by, document_id, request.source_version))

    async def GetStatus(self, request: pb.GetStatusRequest, context: object) -> pb.GetStatusResponse:  # noqa: N802
        """Say how far everything is."""
        caller(request.tenant)
        status = await self._use.get_status(request.tenant)
        return pb.GetStatusResponse(
            sequence=status.sequence,
            searchable_sequence=status.searchable,
            waiting=status.versions.get(State.ENROLLED, 0),
            versions={str(state): count for state, count in status.versions.items()},
            without_vector=status.without_vector,
            degradations=status.degradations,
            vector_sequence=status.vectors,
        )

    async def Tune(self, request: pb.TuneRequest, context: object) -> AsyncGenerator[pb.TuneResponse, None]:  # noqa: N802
        """Weigh the legs."""
        facts = caller(request.tenant)
        async with aclosing(self._use.tune(request.tenant, facts.principal)) as told:
            async for each in told:
                yield tuning.told(each)

    async def Ask(self, request: pb.AskRequest, context: object) -> AsyncGenerator[pb.AskResponse, None]:  # noqa: N802
        """Answer a question, piece by piece."""
        asked = answers.asked(request, caller(request.tenant))
        async with aclosing(self._use.ask(asked)) as events:
            async for event in events:
                yield answers.event(event, _grade, self._now_us())

    async def Search(self, request: pb.SearchRequest, context: object) -> pb.SearchResponse:  # noqa: N802
        """Find passages."""
        found, standing = await self._use.search(searches.searched(request, caller(request.tenant)))
        return searches.found_message(found, standing.grade, standing.now_us)

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: object) -> pb.ListDocumentsResponse:  # noqa: N802
        """List documents."""
        size = searches.limit(request.page_size, "page_size", searches.USUAL_PAGE)
        by = who(request.tenant)
        page = await self._use.list_documents(by, request.page_token, size)
        return pb.ListDocumentsResponse(documents=await self._listed(by, page.versions), next_page_token=page.next_after)

    async def GetDocument(self, request: pb.GetDocumentRequest, context: object) -> pb.GetDocumentResponse:  # noqa: N802
        """Show a document's versions."""
        by = who(request.tenant)
        versions = await self._use.get_document(by, documents.document_id(request.document_id))
        return pb.GetDocumentResponse(versions=await self._listed(by, versions))

    async def ListClauses(self, request: pb.ListClausesRequest, context: object) -> pb.ListClausesResponse:  # noqa: N802
        """List every clause of a kind."""
        kind, times = clauses.kind(request), clauses.as_of(request, self._now_us())
        listed = await self._use.list_clauses(who(request.tenant), clauses.name(request.document), kind, request.heading, times)
        return clauses.listed_message(listed)

    async def Compare(self, request: pb.CompareRequest, context: object) -> pb.CompareResponse:  # noqa: N802
        """Compare two versions, or two documents."""
        left, right = clauses.side(request.left, "left"), clauses.side(request.right, "right")
        return clauses.comparison_message(await self._use.compare(who(request.tenant), left, right))

    async def GetPassage(self, request: pb.GetPassageRequest, context: object) -> pb.GetPassageResponse:  # noqa: N802
        """Show the passage of a citation."""
        preview = await self._use.get_passage(who(request.tenant), request.passage_id, request.neighbours)
        grade, now_us = preview.standing.grade, preview.standing.now_us
        return pb.GetPassageResponse(
            passage=answers.passage(preview.passage, grade(preview.passage), now_us),
            neighbours=[answers.passage(each, grade(each), now_us) for each in preview.neighbours],
        )

    async def GetConversation(self, request: pb.GetConversationRequest, context: object) -> pb.GetConversationResponse:  # noqa: N802
        """Show a conversation of the caller's own."""
        by = who(request.tenant)
        return answers.conversation_message(await self._use.get_conversation(by, answers.conversation_id(request.conversation_id)))

    async def ResetConversation(self, request: pb.ResetConversationRequest, context: object) -> pb.ResetConversationResponse:  # noqa: N802
        """Empty the scope of a conversation, or forget it."""
        by = who(request.tenant)
        await reset_conversation(self._use.conversations, by, answers.conversation_id(request.conversation_id), request.forget)
        return pb.ResetConversationResponse()

    async def SendFeedback(self, request: pb.SendFeedbackRequest, context: object) -> pb.SendFeedbackResponse:  # noqa: N802
        """Record what a person thought of an answer."""
        by, record_id = who(request.tenant), answers.record_id(request.audit_record_id)
        verdict, comment = answers.verdict(request.verdict), answers.comment(request.comment)
        await send_feedback(self._use.reports, by, self._use.clock, audit_record_id=record_id, verdict=verdict, comment=comment)
        return pb.SendFeedbackResponse()

    async def SetGrant(self, request: pb.SetGrantRequest, context: object) -> pb.SetGrantResponse:  # noqa: N802
        """Grant rights."""
        by = who(request.tenant)
        sequence = await self._use.set_grant(by, request.principal, custody.grant(request))
        return pb.SetGrantResponse(sequence=sequence)

    async def DecideQuarantine(self, request: pb.DecideQuarantineRequest, context: object) -> pb.DecideQuarantineResponse:  # noqa: N802
        """Release a version from quarantine, or refuse it."""
        by, document_id = who(request.tenant), documents.document_id(request.document_id)
        version = await self._use.decide_quarantine(by, document_id, request.source_version, request.release_at, custody.why(request.why))
        return pb.DecideQuarantineResponse(version=await self._curated(by, version))

    async def SetHold(self, request: pb.SetHoldRequest, context: object) -> pb.SetHoldResponse:  # noqa: N802
        """Set or lift a legal hold."""
        by, document_id = who(request.tenant), documents.document_id(request.document_id)
        await self._use.set_hold(by, document_id, request.held, custody.why(request.why))
        return pb.SetHoldResponse()

    async def Purge(self, request: pb.PurgeRequest, context: object) -> pb.PurgeResponse:  # noqa: N802
        """Destroy a document, or go on with it."""
        by, document_id = who(request.tenant), documents.document_id(request.document_id)
        purge = await self._use.purge(by, document_id, custody.why(request.why))
        return pb.PurgeResponse(sequence=purge.sequence, finished=purge.finished)

    async def ListUnanswered(self, request: pb.ListUnansweredRequest, context: object) -> pb.ListUnansweredResponse:  # noqa: N802
        """Report questions that found no answer."""
        caller(request.tenant)
        since_us = _since(request.HasField("since"), request.since)
        found = await list_unanswered(self._use.reports, request.tenant, since_us, request.limit)
        return pb.ListUnansweredResponse(unanswered=map(answers.unanswered_message, found))

    async def ListReads(self, request: pb.ListReadsRequest, context: object) -> pb.ListReadsResponse:  # noqa: N802
        """Report who read what."""
        caller(request.tenant)
        since_us = _since(request.HasField("since"), request.since)
        found = await list_reads(
            self._use.reports,
            request.tenant,
            document_id=request.document_id,
            principal=request.principal,
            since_us=since_us,
            limit=request.limit,
        )
        return pb.ListReadsResponse(reads=map(answers.read_message, found))

    async def _listed(self, by: Caller, versions: Sequence[Listed]) -> list[document_pb2.DocumentVersion]:
        held = await self._use.holds.told(by, {each.version.submission.document_id for each in versions})
        return [
            documents.version_message(
                each.version, passages=each.passages, grade=each.grade, held=each.version.submission.document_id in held
            )
            for each in versions
        ]

    async def _curated(self, by: Caller, version: Version) -> document_pb2.DocumentVersion:
        document_id = version.submission.document_id
        return documents.version_message(version, held=document_id in await self._use.holds.told(by, [document_id]))

    def _now_us(self) -> int:
        return int(self._use.clock.now_s() * 1_000_000)


def _since(is_said: bool, since: Timestamp) -> int:
    return micros(since, "since") if is_said else 0


def _grade(passage: Passage) -> int:
    return passage.chunk.passage.access.grade
