"""A document that is withdrawn: hidden from the next request on, and recorded with who did it."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from finmesh.audit.v1.audit_record_pb2 import KNOWLEDGE_ACTION_WITHDRAW
from finmesh.rag.v1 import rag_service_pb2 as pb

from tests.component.rag.world import TENANT, caller, world

CURATOR = caller("curator", clearance=3, purpose="knowledge-management")


async def test_a_withdrawn_document_is_hidden_and_its_record_stands(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.put("条款", "第五条 等待期为90日。")
        asked = pb.GetPassageRequest(tenant=TENANT, passage_id="条款@1#0")
        assert (await made.stub.GetPassage(asked, metadata=caller())).passage.text
        told = await made.stub.WithdrawDocument(pb.WithdrawDocumentRequest(tenant=TENANT, document_id="条款"), metadata=CURATOR)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await made.stub.GetPassage(asked, metadata=caller())
        (change,) = [each for each in made.records if each.WhichOneof("detail") == "change"]
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert (change.change.knowledge.action, change.change.knowledge.sequence) == (KNOWLEDGE_ACTION_WITHDRAW, told.sequence)
    assert change.principal_key and "条款" not in str(change)


async def test_what_never_was_cannot_be_withdrawn(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await made.stub.WithdrawDocument(pb.WithdrawDocumentRequest(tenant=TENANT, document_id="无"), metadata=CURATOR)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND and not made.records
