"""A rag that answers as it is told: a neighbour of the gateway over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import rag_service_pb2 as pb
from finmesh.rag.v1 import rag_service_pb2_grpc as pb_grpc
from meshkit.rpc.chain import current_call
from meshkit.rpc.metadata import CallerFacts, caller_facts

URL = "finmesh://knowledge/%E6%9D%A1%E6%AC%BE/3#7"
SENTENCES = ("等待期为90日。", "免赔额为500元。")


def retrieved(*scope: str) -> pb.AskResponse:
    """What comes first."""
    passage = documents.Passage(passage_id="条款@3#7", document_id="条款", title="安心医疗条款", text="".join(SENTENCES), url=URL)
    return pb.AskResponse(retrieved=pb.Retrieved(passages=[passage], scope=pb.Scope(documents=scope), sequence=41))


def sentence(text: str) -> pb.AskResponse:
    """A verified sentence."""
    return pb.AskResponse(sentence=pb.Sentence(text=text, citations=[pb.Citation(passage_id="条款@3#7", start=0, end=8, url=URL)]))


def ended(**changes: Any) -> pb.AskResponse:
    """What comes last."""
    said: dict[str, Any] = {"answered": True, "answerer": "extractive", "audit_record_id": "record-1"}
    return pb.AskResponse(end=pb.AnswerEnd(**(said | changes)))


def answered() -> Sequence[pb.AskResponse | Exception]:
    """Two sentences, and a warning."""
    warned = pb.Warning(reason="REVIEW_DUE", message="所引文件已过复核日期。")
    return (retrieved("条款"), *map(sentence, SENTENCES), ended(warnings=[warned]))


def refused() -> Sequence[pb.AskResponse | Exception]:
    """No answer."""
    return (retrieved(), ended(answered=False, refusal="NOT_SUPPORTED", message="在您有权查阅的文件中没有找到答案。"))


@dataclass
class ScriptedRag(pb_grpc.RagServiceServicer):
    """Answers with its script, remembers what it was asked."""

    script: Sequence[pb.AskResponse | Exception | asyncio.Event] = field(default_factory=answered)
    requests: list[Any] = field(default_factory=list)
    facts: list[CallerFacts] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def Ask(self, request: pb.AskRequest, context: Any) -> AsyncIterator[pb.AskResponse]:
        """See the script."""
        self.requests.append(request)
        self.facts.append(caller_facts(current_call()))
        try:
            for part in self.script:
                if isinstance(part, Exception):
                    raise part
                if isinstance(part, asyncio.Event):
                    await part.wait()
                    continue
                yield part
        finally:
            self.ended.set()

    async def PutPart(self, request: pb.PutPartRequest, context: Any) -> pb.PutPartResponse:
        """Take a part."""
        self.requests.append(request)
        return pb.PutPartResponse(received_bytes=request.offset + len(request.part))
