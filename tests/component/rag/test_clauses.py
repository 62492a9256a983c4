"""All clauses of a kind, endorsements first; two versions side by side: over gRPC, from the ledger, within rights."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from finmesh.rag.v1 import rag_service_pb2 as pb
from rag.domain.access import Access

from tests.component.rag.world import NOW_US, TENANT, World, caller, world

READER = caller(clearance=2)
DAY_US = 86_400_000_000


async def _product(made: World) -> None:
    await made.grant("reader", clearance=2)
    await made.put("条款", "第五条 等待期为90日。", "第六条 犹豫期为15日。", title="《安心条款》", valid_to_us=NOW_US - DAY_US)
    await made.put(
        "条款",
        "第五条 等待期为60日。",
        "第六条 犹豫期为15日。",
        "第七条 宽限期为60日。",
        title="《安心条款》",
        source_version=2,
        valid_from_us=NOW_US - DAY_US,
    )


async def _exclusions(made: World) -> None:
    heading = ("第三章 责任免除",)
    await made.put("主险", "第八条 投保人故意伤害被保险人。", "第九条 被保险人酒后驾驶。", title="《主险》", headings=heading)
    await made.put("主险-内部", "第十条 内部除外清单。", title="《主险内部》", headings=heading, access=Access(3))
    await made.put("批单", "第1条 主险第二条修改为：被保险人酒后驾驶或无证驾驶。", title="《批单》", base="主险", headings=heading)


async def test_two_versions_clause_by_clause(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await _product(made)
        sides = [pb.Side(document="《安心条款》", source_version=1), pb.Side(document="条款")]
        found = await made.stub.Compare(pb.CompareRequest(tenant=TENANT, left=sides[0], right=sides[1]), metadata=READER)
        told = made.records[-1].retrieval
    kinds = {(pb.DifferenceKind.Name(each.kind), each.right.number) for each in found.differences}
    assert kinds == {("DIFFERENCE_KIND_CHANGED", "第1条"), ("DIFFERENCE_KIND_ADDED", "第3条")}
    (changed,) = [each for each in found.differences if each.kind == pb.DIFFERENCE_KIND_CHANGED]
    assert any("90" in value and "60" in value for value in changed.values)
    assert changed.left.citation.passage_id == "条款@1#0" and changed.right.citation.passage_id == "条款@2#0"
    assert changed.left.citation.superseded and found.equal == 1
    assert len(told.passages) == 5


async def test_every_exclusion_with_its_citation_endorsements_first(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await _exclusions(made)
        asked = pb.ListClausesRequest(tenant=TENANT, document="主险", kind=pb.CLAUSE_KIND_EXCLUSION)
        found = await made.stub.ListClauses(asked, metadata=READER)
    assert [(each.endorsement_document_id, each.replaced_by) for each in found.clauses] == [("批单", ""), ("", ""), ("", "批单")]
    assert found.total == 3 and all(each.citation.passage_id for each in found.clauses)
    assert [each.reason for each in found.warnings] == ["ENDORSED"]


@pytest.mark.parametrize("name", ["主险-内部", "没有这份文件"])
async def test_forbidden_and_absent_documents_are_answered_alike(name: str, tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await _exclusions(made)
        side = pb.Side(document=name)
        for call in (
            made.stub.ListClauses(pb.ListClausesRequest(tenant=TENANT, document=name, kind=pb.CLAUSE_KIND_EXCLUSION), metadata=READER),
            made.stub.Compare(pb.CompareRequest(tenant=TENANT, left=side, right=side), metadata=READER),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "there is no such document")
            assert len(made.records[-1].retrieval.forbidden_keys) == (name == "主险-内部")


async def test_a_title_of_two_documents_is_not_guessed(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await made.put("甲", "第一条 甲。", title="《同名》")
        await made.put("乙", "第一条 乙。", title="《同名》")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await made.stub.ListClauses(
                pb.ListClausesRequest(tenant=TENANT, document="《同名》", kind=pb.CLAUSE_KIND_HEADING, heading="甲"), metadata=READER
            )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT and "by its id" in (caught.value.details() or "")
