"""A legal hold is told to curators, wherever a version is shown, and to nobody else."""

from __future__ import annotations

import hashlib
from pathlib import Path

from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2
from finmesh.rag.v1 import rag_service_pb2 as pb

from tests.component.rag.world import TENANT, World, caller, world

CURATOR = caller("curator", clearance=3, purpose="knowledge-management")


async def shown(made: World, metadata: tuple[tuple[str, str], ...]) -> dict[str, set[bool]]:
    """Whether documents are said to be held, by list and look."""
    listed = (await made.stub.ListDocuments(pb.ListDocumentsRequest(tenant=TENANT), metadata=metadata)).documents
    found = {each.document_id: {each.held} for each in listed}
    for document_id, said in found.items():
        asked = pb.GetDocumentRequest(tenant=TENANT, document_id=document_id)
        said |= {each.held for each in (await made.stub.GetDocument(asked, metadata=metadata)).versions}
    return found


async def test_curators_are_told_and_readers_are_not(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.put("条款", "第五条 等待期为90日。")
        await made.put("手册", "第一条 营业时间。")
        for held in (True, False):
            asked = pb.SetHoldRequest(tenant=TENANT, document_id="条款", held=held, why="诉讼")
            await made.stub.SetHold(asked, metadata=CURATOR)
            assert await shown(made, CURATOR) == {"条款": {held}, "手册": {False}}
            for reader in (caller(), caller(purpose="claims-handling")):
                assert await shown(made, reader) == {"条款": {False}, "手册": {False}}


async def test_whoever_hands_in_and_decides_is_told(tmp_path: Path) -> None:
    content = "第五条 等待期为90日。".encode()
    described = document_pb2.DocumentDescription(
        document_id="条款", source_version=2, file_name="条款.txt", access=document_pb2.Access(grade=grade_pb2.DATA_GRADE_L4)
    )
    async with world(tmp_path) as made:
        await made.put("条款", "第五条 等待期为60日。")
        await made.stub.SetHold(pb.SetHoldRequest(tenant=TENANT, document_id="条款", held=True, why="诉讼"), metadata=CURATOR)
        begun = pb.BeginUploadRequest(tenant=TENANT, size_bytes=len(content), content_sha256=hashlib.sha256(content).digest())
        upload_id = (await made.stub.BeginUpload(begun, metadata=CURATOR)).upload_id
        await made.stub.PutPart(pb.PutPartRequest(tenant=TENANT, upload_id=upload_id, part=content), metadata=CURATOR)
        commit = pb.CommitUploadRequest(tenant=TENANT, upload_id=upload_id, description=described)
        handed_in = (await made.stub.CommitUpload(commit, metadata=CURATOR)).version
        decision = pb.DecideQuarantineRequest(
            tenant=TENANT, document_id="条款", source_version=2, release_at=grade_pb2.DATA_GRADE_L2, why="误报"
        )
        decided = (await made.stub.DecideQuarantine(decision, metadata=CURATOR)).version
        assert (handed_in.held, handed_in.state) == (True, document_pb2.VERSION_STATE_QUARANTINED)
        assert (decided.held, decided.state) == (True, document_pb2.VERSION_STATE_ENROLLED)
