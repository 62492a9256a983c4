"""Ask over the real ledger and the real lexical index: words weigh by what may be read, times are those that were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from finmesh.rag.v1 import rag_service_pb2 as pb
from rag.domain.access import Access
from rag.domain.document import NewChunk
from rag.translate.times import set_micros

from tests.component.rag.world import NOW_US, TENANT, World, caller, world

READER = caller(clearance=2)
DAY_US = 86_400_000_000


async def ask(made: World, question: str, **fields: object) -> tuple[list[pb.Sentence], pb.AnswerEnd]:
    request = pb.AskRequest(tenant=TENANT, question=question, grade=2, **fields)
    parts = [part async for part in made.stub.Ask(request, metadata=READER)]
    return [part.sentence for part in parts if part.HasField("sentence")], parts[-1].end


@pytest.mark.parametrize("known_at", [0, 10**9, 1])
async def test_the_rare_word_of_a_question_decides_whatever_sequence_is_asked_for(known_at: int, tmp_path: Path) -> None:
    """Every document speaks of the waiting period, none of the hotline: a passage on the first is no answer to a question on the second."""
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await made.put("条款", *(f"第{number}类疾病自本合同生效之日起{number + 30}日内为等待期。" for number in range(1, 40)))
        asked = pb.AsOf(known_at_sequence=known_at)
        for question in ("等待期内的投诉热线", "合同生效之日起等待期内的保单贷款"):
            sentences, end = await ask(made, question, as_of=asked)
            assert (sentences, end.refusal) == ([], "NOT_SUPPORTED")
        sentences, _ = await ask(made, "第7类疾病的等待期是多少天？", as_of=asked)
        assert [each.text for each in sentences] == ["第7类疾病自本合同生效之日起37日内为等待期。"]


async def test_the_wording_of_the_time_asked_for_is_not_superseded(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await made.put("条款", "第五条 等待期为90日。", title="《安心条款》", valid_to_us=NOW_US - DAY_US)
        asked = pb.AskRequest().as_of
        set_micros(asked.valid_at, NOW_US - 2 * DAY_US)
        sentences, end = await ask(made, "安心条款的等待期是多少天？", as_of=asked)
        assert [(each.text, each.citations[0].superseded) for each in sentences] == [("第五条 等待期为90日。", False)] and not end.warnings
        found = await made.stub.Search(pb.SearchRequest(tenant=TENANT, question="等待期", as_of=asked), metadata=READER)
        assert [each.superseded for each in found.passages] == [False]
        clauses = await made.stub.ListClauses(
            pb.ListClausesRequest(tenant=TENANT, document="条款", kind=pb.CLAUSE_KIND_HEADING, heading="等待期", as_of=asked),
            metadata=READER,
        )
        assert [each.citation.superseded for each in clauses.clauses] == [False]
        now = await made.stub.GetPassage(pb.GetPassageRequest(tenant=TENANT, passage_id="条款@1#0"), metadata=READER)
        assert now.passage.superseded, "whoever opens it without a time asks for now"


async def test_two_sources_that_held_at_the_time_asked_for_are_compared(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        for document, days in (("甲", 90), ("乙", 60)):
            text = f"第五条 重大疾病的等待期为{days}日。"
            await made.put(document, text, title="《安心条款》", valid_to_us=NOW_US - DAY_US)
        asked = pb.AskRequest().as_of
        set_micros(asked.valid_at, NOW_US - 2 * DAY_US)
        _, end = await ask(made, "重大疾病的等待期是多少天？", as_of=asked)
        assert [each.reason for each in end.warnings] == ["CONFLICTING_SOURCES"]


async def test_the_past_is_asked_and_a_newer_version_is_told_of(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        first = await made.put("条款", "第五条 等待期为90日。", title="《安心条款》")
        await made.put("条款", "第五条 等待期为60日。", title="《安心条款》", source_version=2)
        sentences, end = await ask(made, "安心条款的等待期是多少天？", as_of=pb.AsOf(known_at_sequence=first))
        assert [each.text for each in sentences] == ["第五条 等待期为90日。"] and sentences[0].citations[0].superseded
        assert [each.reason for each in end.warnings] == ["SUPERSEDED"]


@pytest.mark.parametrize("question", ["哪些情形不赔？", "列出所有免责条款", "What is not covered?"])
async def test_exclusions_are_found_by_the_words_that_their_clauses_use(question: str, tmp_path: Path) -> None:
    """Not one word of the question stands in the clause."""
    clause = "第八条 对下列原因导致的身故，保险人免除责任：（一）投保人故意伤害；（二）战争。"
    if question.isascii():
        clause = "Section 8 Exclusions: (a) wilful misconduct; (b) war and riot."
    async with world(tmp_path) as made:
        await made.grant("reader", clearance=2)
        await made.put("险种", *(f"第{number}条 保险费按{number}元交纳。" for number in range(1, 30)), title="《安心条款》")
        await made.put(
            "条款", clause, title="《安心条款》", headings=("第三章 责任免除",) if not question.isascii() else ("Part 3 Exclusions",)
        )
        sentences, end = await ask(made, question)
        assert "".join(each.text for each in sentences).replace(" ", "") == clause.replace(" ", "")
        assert [each.reason for each in end.warnings] == ["LIST_INCOMPLETE"]


async def test_a_list_goes_on_where_it_was_cut_into_passages_as_far_as_they_may_be_read(tmp_path: Path) -> None:
    head, tail = "申请理赔须提交下列材料：（一）保险合同；（二）身份证明；", "（三）医疗费用发票；（四）出院小结。"
    for access, shown in ((Access(1), head + tail), (Access(3), head)):
        async with world(_folder(tmp_path, access.grade)) as made:
            await made.grant("reader", clearance=2)
            cut = [NewChunk(place, text, of, ("第五章 理赔",)) for place, (text, of) in enumerate(((head, Access(1)), (tail, access)))]
            await made.put("条款", cut=cut, title="《安心条款》")
            await made.put("其他", *(f"第{number}条 保险费按{number}元交纳，理赔材料另见说明。" for number in range(1, 30)))
            request = pb.AskRequest(tenant=TENANT, question="安心条款申请理赔须提交哪些材料？", grade=2)
            parts = [part async for part in made.stub.Ask(request, metadata=READER)]
            assert "".join(part.sentence.text for part in parts if part.HasField("sentence")) == shown
            told = made.records[-1].retrieval
            assert {each.passage_id for each in parts[0].retrieved.passages} >= ({"条款@1#1"} if access.grade == 1 else set())
            assert len(told.passages) == len(parts[0].retrieved.passages), "what stands beside is recorded as well"


def _folder(above: Path, grade: int) -> Path:
    folder = above / str(grade)
    folder.mkdir()
    return folder
