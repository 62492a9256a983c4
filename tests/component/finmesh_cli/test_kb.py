"""`finmesh kb`: uploads that go on, answers with citations, who may read and who read."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import rag_service_pb2 as rag

from .conftest import AuditLog, Cli, FakeGateway

MIB = 1024 * 1024


@dataclass
class Knowledge(FakeGateway):
    """A gateway that keeps parts and answers what it is told."""

    there: int = 0
    got: dict[str, Any] = field(default_factory=dict)
    parts: dict[int, bytes] = field(default_factory=dict)
    answers: list[rag.AskResponse] = field(default_factory=list)

    async def BeginUpload(self, request: pb.BeginUploadRequest, context: Any) -> pb.BeginUploadResponse:
        """Begin."""
        self.got["begin"] = request.request
        return pb.BeginUploadResponse(response=rag.BeginUploadResponse(upload_id="u", received_bytes=self.there))

    async def PutPart(self, request: pb.PutPartRequest, context: Any) -> pb.PutPartResponse:
        """Keep a part."""
        self.parts[request.request.offset] = request.request.part
        return pb.PutPartResponse(response=rag.PutPartResponse())

    async def CommitUpload(self, request: pb.CommitUploadRequest, context: Any) -> pb.CommitUploadResponse:
        """Enrol."""
        said = self.got["commit"] = request.request.description
        version = documents.DocumentVersion(document_id=said.document_id, source_version=said.source_version, state=1)  # type: ignore[arg-type]
        return pb.CommitUploadResponse(response=rag.CommitUploadResponse(version=version))

    async def Ask(self, request: pb.AskRequest, context: Any) -> AsyncIterator[pb.AskResponse]:
        """Answer."""
        self.got["ask"] = request.request
        for answer in self.answers:
            yield pb.AskResponse(response=answer)

    async def SetGrant(self, request: pb.SetGrantRequest, context: Any) -> pb.SetGrantResponse:
        """Grant."""
        self.got["grant"] = request.request
        return pb.SetGrantResponse(response=rag.SetGrantResponse(sequence=44))

    async def ListReads(self, request: pb.ListReadsRequest, context: Any) -> pb.ListReadsResponse:
        """Who read what."""
        read = rag.Read(principal="张三\x1b[31m", purpose="claims-handling", passage_ids=["条款@3#7"], audit_record_id="r-1")
        return pb.ListReadsResponse(response=rag.ListReadsResponse(reads=[read]))


@pytest.fixture
def gateway(audit_log: AuditLog) -> Knowledge:
    """A gateway of documents."""
    return Knowledge(audit_log)


@pytest.mark.parametrize(("there", "sent"), [(0, [0, MIB, 2 * MIB]), (MIB + 5, [MIB, 2 * MIB]), (2 * MIB + 7, [])])
async def test_an_upload_goes_on_where_it_was_broken_off(cli: Cli, gateway: Knowledge, tmp_path: Path, there: int, sent: list[int]) -> None:
    content = bytes(range(256)) * (2 * MIB // 256) + "条款内容".encode()[:7]
    file = tmp_path / "条款 第三版.txt"
    file.write_bytes(content)
    gateway.there = there
    result = await cli(
        "kb", "add", str(file), "--version", "3", "--grade", "2", "--group", "理赔", "--valid-from", "2026-01-31", "--product", "安心"
    )
    assert result.exit_code == 0, result.output
    begun, said = gateway.got["begin"], gateway.got["commit"]
    assert (begun.tenant, begun.size_bytes, begun.content_sha256) == ("bank-a", len(content), hashlib.sha256(content).digest())
    assert sorted(gateway.parts) == sent and all(part == content[at : at + MIB] for at, part in gateway.parts.items())
    assert (said.document_id, said.source_version, said.access.grade, list(said.access.groups)) == ("条款 第三版.txt", 3, 2, ["理赔"])
    assert said.product == "安心" and said.valid_from.ToJsonString() == "2026-01-31T00:00:00Z" and not said.HasField("valid_to")
    assert "ENROLLED" in result.stdout


async def test_a_file_that_is_not_there_and_a_time_that_is_none_are_named(cli: Cli, tmp_path: Path) -> None:
    missing = await cli("kb", "add", str(tmp_path / "没有.pdf"))
    assert missing.exit_code == 2 and "没有.pdf" in missing.output
    (tmp_path / "a.txt").write_text("a")
    assert (await cli("kb", "add", str(tmp_path / "a.txt"), "--expires-at", "明天")).exit_code == 2


async def test_an_answer_is_shown_with_what_it_rests_on(cli: Cli, gateway: Knowledge) -> None:
    cited = rag.Citation(passage_id="条款@3#7", url="finmesh://knowledge/x/3#7", cell="免赔额 / 2026")
    warned = rag.Warning(reason="REVIEW_DUE", message="已过复核日期")
    gateway.answers = [
        rag.AskResponse(sentence=rag.Sentence(text="等待期为90日。", citations=[cited])),
        rag.AskResponse(end=rag.AnswerEnd(answered=True, answerer="extractive", audit_record_id="r-1", warnings=[warned])),
    ]
    result = await cli("kb", "ask", "等待期多久？", "--document", "条款", "--conversation", "c")
    assert result.exit_code == 0, result.output
    for fact in ("等待期为90日。", "finmesh://knowledge/x/3#7  免赔额 / 2026", "REVIEW_DUE: 已过复核日期", "extractive  audit record r-1"):
        assert fact in result.stdout
    asked = gateway.got["ask"]
    assert (asked.question, asked.grade, list(asked.scope.documents), asked.conversation_id) == ("等待期多久？", 2, ["条款"], "c")
    gateway.answers = [rag.AskResponse(end=rag.AnswerEnd(refusal="NOT_SUPPORTED", message="没有找到答案。"))]
    assert "没有找到答案。" in (await cli("kb", "ask", "别的？")).stdout


async def test_rights_are_granted_and_reads_reported(cli: Cli, gateway: Knowledge) -> None:
    assert "sequence 44" in (await cli("kb", "grant", "张三", "--clearance", "3", "--group", "理赔", "--barrier", "deal-7")).stdout
    granted = gateway.got["grant"]
    assert (granted.principal, granted.clearance, list(granted.groups), list(granted.barriers)) == ("张三", 3, ["理赔"], ["deal-7"])
    shown = (await cli("kb", "reads")).stdout
    assert "条款@3#7" in shown and "claims-handling" in shown and "\x1b[31m" not in shown
