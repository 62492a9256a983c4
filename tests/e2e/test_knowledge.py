"""Documents through the whole mesh: handed in by command and by event, asked about by gRPC and by OpenAI's API, kept from whom they are
not for, compared, held, destroyed; and the audit log knows who read what.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from finmesh.common.v1 import grade_pb2
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import events_pb2 as events
from finmesh.rag.v1 import rag_service_pb2 as rag
from meshkit.errors import FailedPrecondition, NotFound

from tests.e2e.knowledge_mesh import CURATOR, OPERATOR, READER, TENANT, KnowledgeMesh

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("default::ResourceWarning"),
]

MIB = 1024 * 1024
MODEL = "knowledge/knowledge"
TERMS, POLICY, NOWHERE = "安心医疗条款", "授信集中度管理办法", "并不存在的管理办法"
WAITING = "安心医疗险的等待期是多少天？"
LIMIT = "对单一客户的授信余额不得超过资本净额的多少？"
SECRET = "15%"


def terms(waiting: str, *more: str) -> str:
    """Clauses of a product."""
    exclusions = ["被保险人故意自伤或者自杀；", "被保险人主动吸食或者注射毒品；", *more]
    items = [f"（{'一二三四'[place]}）{text}" for place, text in enumerate(exclusions)]
    return "\n\n".join(
        [
            "# 安心医疗险条款",
            "## 第一章 保险责任",
            f"第一条 等待期 自本合同生效之日起{waiting}为等待期，等待期内发生保险事故的，本公司不承担保险责任。",
            "第二条 免赔额 本合同的年度免赔额为10,000元。",
            "## 第二章 责任免除",
            "第三条 因下列情形之一导致的医疗费用，本公司不承担给付保险金的责任：\n" + "\n".join(items),
        ]
    )


def page() -> bytes:
    """A policy as an intranet page with a picture in it: more than a part of an upload."""
    picture = "A" * (MIB + 300_000)
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><title>{POLICY}</title></head><body><h1>{POLICY}</h1>"
        f"<p>第一条 对单一客户的授信余额不得超过资本净额的{SECRET}。</p><p>第二条 本办法由风险管理部负责解释。</p>"
        f"<img alt='' src='data:image/png;base64,{picture}'></body></html>"
    ).encode()


@dataclass(frozen=True)
class Corpus:
    """The mesh with documents that can be found at a sequence."""

    mesh: KnowledgeMesh
    sequence: int
    said: str


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def corpus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Corpus]:
    """Two versions of terms, and a policy of grade L3 whose upload was broken off."""
    folder = tmp_path_factory.mktemp("knowledge") / "我的 文件"
    async with KnowledgeMesh(folder).running() as mesh:
        for person, grade in (("claims-desk", grade_pb2.DATA_GRADE_L2), ("knowledge-desk", grade_pb2.DATA_GRADE_L3)):
            await mesh.asked(OPERATOR, rag.SetGrantRequest(principal=person, clearance=grade))
        said = ""
        for number, content in enumerate((terms("90日"), terms("60日", "被保险人从事潜水、跳伞；")), 1):
            file = folder / f"{TERMS}.md"
            file.write_text(content)
            said += await added(
                mesh, file, "--version", str(number), "--title", "安心医疗险条款", "--product", "安心医疗险", "--grade", "1"
            )
        file = folder / f"{POLICY}.html"
        file.write_bytes(page())
        await begun(mesh, page())
        said += await added(mesh, file, "--version", "1", "--title", POLICY, "--grade", "3")
        yield Corpus(mesh, await mesh.settled(), said)


async def added(mesh: KnowledgeMesh, file: Path, *options: str) -> str:
    """Hand a file in by the command, under its name."""
    done = await mesh.finmesh("kb", "add", str(file), "--id", file.stem, *options)
    assert done.status == 0, done.out + done.err
    return done.out


async def begun(mesh: KnowledgeMesh, content: bytes) -> None:
    """Send the first part of a file, and go away."""
    begin = rag.BeginUploadRequest(size_bytes=len(content), content_sha256=hashlib.sha256(content).digest())
    upload = await mesh.asked(CURATOR, begin)
    assert upload.received_bytes == 0
    await mesh.asked(CURATOR, rag.PutPartRequest(upload_id=upload.upload_id, offset=0, part=content[:MIB]))
    assert (await mesh.asked(CURATOR, begin)).received_bytes == MIB


async def test_what_was_handed_in_is_listed_for_whom_it_is(corpus: Corpus) -> None:
    assert corpus.said.count("ENROLLED") == 3
    listed = {}
    for who in (READER, CURATOR):
        found = (await corpus.mesh.asked(who, rag.ListDocumentsRequest())).documents
        listed[who] = {each.document_id: each for each in found}
    assert set(listed[READER]) == {TERMS} and set(listed[CURATOR]) == {TERMS, POLICY}
    assert listed[READER][TERMS].source_version == 2
    assert listed[CURATOR][POLICY].content_sha256 == hashlib.sha256(page()).digest()
    done = await corpus.mesh.finmesh("kb", "show", TERMS)
    assert done.status == 0 and done.out.count("VISIBLE") == 2, done.out + done.err


async def test_an_answer_rests_on_the_wording_in_force(corpus: Corpus) -> None:
    answer = await corpus.mesh.answer(WAITING, min_sequence=corpus.sequence)
    assert answer.end.answered and "60日" in answer.text and "90日" not in answer.text
    assert answer.cited == {TERMS} and answer.end.answerer == "extractive"
    for sentence in answer.sentences:
        for cited in sentence.citations:
            passage = (await corpus.mesh.asked(READER, rag.GetPassageRequest(passage_id=cited.url))).passage
            assert passage.passage_id == cited.passage_id and passage.source_version == 2
            assert hashlib.sha256(passage.text.encode()).digest() == cited.text_sha256
            assert passage.text[cited.start : cited.end]
    (first,) = [each for each in (await corpus.mesh.asked(READER, rag.GetDocumentRequest(document_id=TERMS))).versions if each.to_sequence]
    before = await corpus.mesh.answer(WAITING, as_of=rag.AsOf(known_at_sequence=first.from_sequence))
    assert "90日" in before.text and "SUPERSEDED" in [each.reason for each in before.end.warnings]
    done = await corpus.mesh.finmesh("kb", "ask", WAITING)
    assert done.status == 0 and "60日" in done.out and "finmesh://knowledge/" in done.out, done.out + done.err


async def test_an_answer_by_openais_api_streamed_and_not(corpus: Corpus) -> None:
    how: Any = {"model": MODEL, "messages": [{"role": "user", "content": WAITING}], "extra_headers": {"x-finmesh-grade": "L2"}}
    async with corpus.mesh.openai() as ai:
        whole = await ai.chat.completions.create(**how)
        stream = await ai.chat.completions.create(**how, stream=True)
        deltas = [choice.delta async for chunk in stream for choice in chunk.choices]
        assert [model.id async for model in ai.models.list()] == [MODEL]
    message = whole.choices[0].message
    assert message.content is not None and "60日" in message.content and message.annotations
    cited = [each.url_citation for each in message.annotations]
    assert {each.title for each in cited} == {"安心医疗险条款"} and all(each.url.startswith("finmesh://knowledge/") for each in cited)
    assert "".join(delta.content or "" for delta in deltas) == message.content
    told = [each["url_citation"]["url"] for delta in deltas for each in (delta.model_extra or {}).get("annotations", [])]
    assert told == [each.url for each in cited]


async def test_what_may_not_be_read_looks_like_what_is_not_there(corpus: Corpus) -> None:
    mesh = corpus.mesh
    ends, refusals, records = [], [], []
    for title in (POLICY, NOWHERE):
        answer = await mesh.answer(LIMIT, scope=rag.Scope(documents=[title]))
        records.append(await mesh.record(answer.end.audit_record_id))
        answer.end.ClearField("audit_record_id")
        ends.append((answer.end.SerializeToString(), len(answer.retrieved.passages)))
        refusals.append([await mesh.refused(READER, rag.GetDocumentRequest(document_id=title))])
        refusals[-1].append(await mesh.refused(READER, rag.GetPassageRequest(passage_id=f"{title}@1#0")))
        refusals[-1].append(await mesh.refused(READER, rag.ListClausesRequest(document=title, kind=rag.CLAUSE_KIND_EXCLUSION)))
    assert ends[0] == ends[1] and refusals[0] == refusals[1]
    assert [kind for kind, _, _ in refusals[0]] == [NotFound] * 3
    assert [len(record.retrieval.forbidden_keys) for record in records] == [1, 0]
    assert records[0].retrieval.clearance == 2 and POLICY.encode() not in records[0].SerializeToString()
    assert SECRET not in (await mesh.answer(LIMIT)).text
    allowed = await mesh.answer(LIMIT, CURATOR)
    assert SECRET in allowed.text and allowed.cited == {POLICY}


async def test_a_conversation_keeps_its_scope_until_it_is_reset(corpus: Corpus) -> None:
    mesh = corpus.mesh
    first = await mesh.answer(WAITING, conversation_id="保单 7")
    assert list(first.retrieved.scope.documents) == [TERMS]
    second = await mesh.answer("那免赔额是多少？", conversation_id="保单 7")
    assert list(second.retrieved.scope.documents) == [TERMS] and "10,000元" in second.text
    kept = await mesh.asked(READER, rag.GetConversationRequest(conversation_id="保单 7"))
    assert [turn.question for turn in kept.turns] == [WAITING, "那免赔额是多少？"] and list(kept.scope.documents) == [TERMS]
    assert (await mesh.refused(CURATOR, rag.GetConversationRequest(conversation_id="保单 7")))[1] == "CONVERSATION_NOT_FOUND"
    await mesh.asked(READER, rag.ResetConversationRequest(conversation_id="保单 7"))
    assert not (await mesh.asked(READER, rag.GetConversationRequest(conversation_id="保单 7"))).scope.documents


async def test_versions_are_compared_and_exclusions_listed_whole(corpus: Corpus) -> None:
    mesh = corpus.mesh
    sides = {"left": rag.Side(document=TERMS, source_version=1), "right": rag.Side(document=TERMS, source_version=2)}
    compared = await mesh.asked(READER, rag.CompareRequest(**sides))
    assert {each.kind for each in compared.differences} == {rag.DIFFERENCE_KIND_CHANGED}
    assert any("90日" in value and "60日" in value for each in compared.differences for value in each.values)
    listed = await mesh.asked(READER, rag.ListClausesRequest(document=TERMS, kind=rag.CLAUSE_KIND_EXCLUSION))
    text = "\n".join(each.text for each in listed.clauses)
    assert "故意自伤" in text and "毒品" in text and "潜水" in text and "免赔额" not in text
    assert all(each.citation.passage_id.startswith(f"{TERMS}@2#") for each in listed.clauses)
    done = await mesh.finmesh("kb", "clauses", TERMS)
    assert done.status == 0 and "潜水" in done.out, done.out + done.err


async def test_an_operator_weighs_the_legs(corpus: Corpus) -> None:
    done = await corpus.mesh.finmesh("kb", "tune")
    assert done.status == 0 and "HAN" in done.out and "version 1 holds from now on" in done.out, done.out + done.err
    searched = await corpus.mesh.finmesh("kb", "search", "年度免赔额", "--explain", "--limit", "1", "--expand", "1")
    assert searched.status == 0 and "NEIGHBOUR" in searched.out, searched.out + searched.err


async def test_banks_hand_in_and_withdraw_by_events_and_hear_what_became_of_it(corpus: Corpus) -> None:
    mesh, name = corpus.mesh, "网点公告"
    described = documents.DocumentDescription(
        document_id=name, source_version=1, title=name, file_name="公告.txt", access=documents.Access(grade=grade_pb2.DATA_GRADE_L1)
    )
    submitted = events.DocumentSubmitted(tenant=TENANT, submitted_by="core", description=described)
    submitted.inline = "城南支行的营业时间为每日9时至17时。".encode()
    await mesh.say(name, submitted)
    (told,) = await mesh.heard(name, "VISIBLE")
    answer = await mesh.answer("城南支行的营业时间是几点？", min_sequence=told.sequence, scope=rag.Scope(documents=[name]))
    assert answer.cited == {name}
    await mesh.say(name, events.DocumentWithdrawn(tenant=TENANT, withdrawn_by="core", document_id=name))
    _, withdrawn = await mesh.heard(name, "VISIBLE", "WITHDRAWN")
    assert withdrawn.sequence > told.sequence
    assert (await mesh.refused(READER, rag.GetDocumentRequest(document_id=name)))[1] == "DOCUMENT_NOT_FOUND"
    assert not (await mesh.answer("城南支行的营业时间是几点？")).cited & {name}


async def test_reports_say_what_found_no_answer_and_who_read_what(corpus: Corpus) -> None:
    mesh = corpus.mesh
    question = "火星分行的保管箱年费是多少？"
    assert (await mesh.answer(question)).end.refusal == "NOT_SUPPORTED"
    unanswered = await mesh.finmesh("kb", "unanswered")
    assert unanswered.status == 0 and question in unanswered.out, unanswered.out + unanswered.err
    answer = await mesh.answer(WAITING)
    found = (await mesh.asked(CURATOR, rag.ListReadsRequest(document_id=TERMS, principal="claims-desk"))).reads
    (read,) = [each for each in found if each.audit_record_id == answer.end.audit_record_id and each.source_version == 2]
    assert read.purpose == "claims-handling"
    assert {each.passage_id for sentence in answer.sentences for each in sentence.citations} <= set(read.passage_ids)
    record = await mesh.record(answer.end.audit_record_id)
    shown = [each for each in record.retrieval.passages if each.cited]
    assert shown and not any(text.encode() in record.SerializeToString() for text in (WAITING, "60日", TERMS))
    log = str(mesh.places.var / "audit" / "audit.db")
    granted = await mesh.finmesh("audit", "events", log, "--tenant", TENANT)
    assert granted.status == 0 and "GRANT" in granted.out, granted.out + granted.err
    looked = await mesh.finmesh("audit", "lookups", log, "--id", answer.end.audit_record_id)
    assert looked.status == 0 and "ASK" in looked.out and "cited" in looked.out, looked.out + looked.err


async def test_what_is_held_is_not_destroyed_and_what_is_destroyed_is_gone(corpus: Corpus, tmp_path: Path) -> None:
    mesh, name = corpus.mesh, "旧版须知"
    (tmp_path / f"{name}.txt").write_text("犹豫期须知：旧版须知规定的犹豫期为15日。")
    await added(mesh, tmp_path / f"{name}.txt", "--version", "1", "--title", name, "--grade", "1")
    await mesh.settled()
    answer = await mesh.answer("旧版须知规定的犹豫期是多少天？", conversation_id="犹豫期")
    assert "15日" in answer.text
    assert (await mesh.finmesh("kb", "hold", name, "--why", "诉讼")).status == 0
    kind, reason, _ = await mesh.refused(CURATOR, rag.PurgeRequest(document_id=name, why="到期"))
    assert (kind, reason) == (FailedPrecondition, "LEGAL_HOLD")
    assert (await mesh.finmesh("kb", "hold", name, "--why", "结案", "--lift")).status == 0
    purged = await mesh.finmesh("kb", "purge", name, "--why", "到期")
    assert purged.status == 0, purged.out + purged.err
    await mesh.until(CURATOR, rag.PurgeRequest(document_id=name, why="到期"), lambda answer: bool(answer.finished))
    assert (await mesh.refused(READER, rag.GetDocumentRequest(document_id=name)))[1] == "DOCUMENT_NOT_FOUND"
    assert (await mesh.refused(READER, rag.GetPassageRequest(passage_id=f"{name}@1#0")))[1] == "PASSAGE_NOT_FOUND"
    kept = await mesh.asked(READER, rag.GetConversationRequest(conversation_id="犹豫期"))
    assert not any("15日" in sentence.text for turn in kept.turns for sentence in turn.sentences)
