"""What stands beside passages, over real gRPC and a real ledger; and that it tells nothing of what may not be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from finmesh.rag.v1 import rag_service_pb2 as pb
from rag.domain.access import Access
from rag.domain.document import NewChunk

from tests.component.rag.world import OPEN, TENANT, World, caller, world

READER = caller("reader", clearance=2)
HEADER = "表1：每千元保险金额年交费率 | 元"
SECRET = Access(3)


def cut(*hidden: int, secret: str = "内部口径：实际按180日执行。") -> list[NewChunk]:
    """Clauses and a table in two pieces; passages at some places may not be read."""
    texts = ["第五条 等待期为90日。", "第六条 犹豫期为15日。", "第七条 宽限期为60日。", f"{HEADER}\n20岁 | 38.50", "60岁 | 77.10"]
    return [
        NewChunk(
            place,
            secret if place in hidden else text,
            SECRET if place in hidden else OPEN,
            table_header=HEADER if place == 4 else "",
            clause=text[:3] if text.startswith("第") else "",
        )
        for place, text in enumerate(texts)
    ]


async def asked(made: World, question: str, expand: int = 1, limit: int = 1, **fields: Any) -> pb.SearchResponse:
    request = pb.SearchRequest(tenant=TENANT, question=question, grade=2, explain=True, limit=limit, expand=expand, **fields)
    found: pb.SearchResponse = await made.stub.Search(request, metadata=READER)
    return found


def told(found: pb.SearchResponse) -> list[tuple[str, int, Sequence[str]]]:
    """Passage, rank, why it was added."""
    return [(each.passage_id, each.rank, list(why.expanded)) for each, why in zip(found.passages, found.explanations, strict=True)]


async def test_neighbours_and_the_beginning_of_a_table_are_added_and_recorded(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await made.put("条款", cut=cut())
        clauses = await asked(made, "犹豫期是多少天？", pipeline=pb.PIPELINE_LEXICAL)
        assert told(clauses) == [("条款@1#1", 1, []), ("条款@1#0", 0, ["NEIGHBOUR"]), ("条款@1#2", 0, ["NEIGHBOUR"])]
        table = await asked(made, "60岁 77.10", pipeline=pb.PIPELINE_LEXICAL)
        assert told(table) == [("条款@1#4", 1, []), ("条款@1#3", 0, ["TABLE_HEADER", "NEIGHBOUR"])]
        assert len(made.records[-1].retrieval.passages) == 2, "what is added is shown, and so recorded"
        assert len((await asked(made, "犹豫期是多少天？", expand=0)).passages) == 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asked(made, "犹豫期是多少天？", expand=11)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_endorsements_in_force_that_may_be_read_are_added(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await made.put("条款", cut=cut())
        await made.put("批单一", "本批单附于条款。", "第六条修改为：犹豫期为20日。", base="条款")
        await made.put("批单二", "第六条修改为：犹豫期为30日。", base="条款", access=SECRET)
        await made.put("批单三", "第六条修改为：犹豫期为40日。", base="条款")
        await made.withdraw("批单三")
        found = await asked(made, "条款第六条的犹豫期", pipeline=pb.PIPELINE_LEXICAL, limit=1, scope=pb.Scope(documents=["条款", "批单一"]))
        added = {name: why for name, rank, why in told(found) if not rank}
        assert added.get("批单一@1#1", ["ENDORSEMENT"]) == ["ENDORSEMENT"] and "批单一@1#1" in {each.passage_id for each in found.passages}
        assert not {"批单二@1#0", "批单三@1#0"} & {each.passage_id for each in found.passages}
        alone = await asked(made, "条款第六条的犹豫期", pipeline=pb.PIPELINE_LEXICAL, scope=pb.Scope(documents=["条款"]))
        assert {each.document_id for each in alone.passages} == {"条款"}, "a scope only narrows"


async def test_a_neighbour_that_may_not_be_read_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    """Whole responses, of worlds that differ in what the forbidden passages say, or in that they were withheld."""
    answers, calls = [], []
    for name, chunks in (
        ("one", cut(1, 3)),
        ("other", cut(1, 3, secret="犹豫期 宽限期 等待期 60岁 77.10")),
        ("withheld", [each for each in cut() if each.ordinal not in (1, 3)]),
    ):
        async with world(tmp_path / name) as made:
            await made.grant("reader", clearance=2)
            await made.put("条款", cut=chunks)
            made.calls.clear()
            how: dict[str, Any] = {"expand": 10, "limit": 10, "pipeline": pb.PIPELINE_LEXICAL}
            found = [await asked(made, question, **how) for question in ("等待期是多少天？", "宽限期", "60岁 77.10")]
            answers.append([each.SerializeToString(deterministic=True) for each in found])
            calls.append(dict(made.calls))
            shown = {each.passage_id for answer in found for each in answer.passages}
            assert shown and shown <= {"条款@1#0", "条款@1#2", "条款@1#4"}
    assert answers[0] == answers[1] == answers[2] and calls[0] == calls[1] == calls[2]


async def test_lists_tell_what_may_be_read_of_a_document_and_nothing_of_the_rest(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await made.grant("auditor", clearance=3)
        await made.put("条款", cut=cut(1, 3))
        for who, passages, grade in (("reader", 3, 1), ("auditor", 5, 3)):
            metadata = caller(who, clearance=3)
            (listed,) = (await made.stub.ListDocuments(pb.ListDocumentsRequest(tenant=TENANT), metadata=metadata)).documents
            (version,) = (await made.stub.GetDocument(pb.GetDocumentRequest(tenant=TENANT, document_id="条款"), metadata=metadata)).versions
            assert (listed.passages, listed.grade) == (version.passages, version.grade) == (passages, grade)
