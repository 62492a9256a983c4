"""Ask: what may be read, records before bytes, refusals, scopes that are kept and replaced, models whose sentences must hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from finmesh.audit.v1 import audit_record_pb2 as pb
from meshkit.errors import NotFound, Unavailable
from meshkit.testing.keys import commitment_ring
from rag.domain.access import Access, Grant
from rag.domain.answer import Answered, AnswerEvent, Ended, Retrieved, Sentence, Warned
from rag.domain.asking import Asked
from rag.domain.caller import Caller
from rag.domain.document import AsOf
from rag.domain.retrieval import Found, Passage, Query, Scope
from rag.domain.scenarios import Scenario, Scenarios
from rag.ports.models import Written
from rag.steps.rights import Standing
from rag.steps.served import Served
from rag.translate.records import document_key
from rag.usecases.ask import Ask

from tests.unit.rag.shelf import NOW_US, Retriever, ScriptedModel, Shelf, quoted, version

ME = Caller("bank-a", "理赔员", "claims-handling", clearance=2, request_id="r-1")
WAITING = "等待期为90日。"
DEDUCTIBLE = "免赔额为500元。"
SECRET = "内部赔付上限为80万元。"


async def words_of(question: str, passages: Sequence[Passage], standing: Standing, as_of: AsOf) -> Answered:
    """Quote the first passage that has a word of the question."""
    for passage in passages:
        if any(word in passage.text for word in re.findall(r"等待期|免赔额|上限", question)):
            return Answered((quoted(passage),), (Warned("CONFLICTING_SOURCES", "另一处为60日", (passage.id,)),))
    return Answered()


def marked(text: str, passages: Sequence[Passage]) -> Sentence | None:
    """Take a sentence whose words, without its mark, stand in the passage of that mark."""
    found = re.fullmatch(r"(.*?)\s*\[([0-9]+)\]", text, re.DOTALL)
    if found is None or not 1 <= int(found[2]) <= len(passages):
        return None
    passage = passages[int(found[2]) - 1]
    return quoted(passage) if found[1] in passage.text else None


def table(answerer: str = "extractive", highest: int = 2) -> Scenarios:
    made = Scenario(
        name="knowledge", answerer=answerer, router_scenario="assistant", passages=8, highest_prompt_grade=highest, max_output_tokens=64
    )
    return Scenarios("1", b"\x9c" * 32, {"knowledge": made})


class Desk:
    """A shelf with three documents, and who asks at it."""

    def __init__(self, *, model: ScriptedModel | None = None, highest: int = 2) -> None:
        self.shelf = Shelf(grants={"理赔员": Grant(2, frozenset({"claims"}))})
        (self.waiting, self.deductible) = self.shelf.put(version("terms", title="安心医疗条款"), WAITING, DEDUCTIBLE)
        (self.secret,) = self.shelf.put(version("internal"), SECRET, access=Access(3, frozenset({"board"})))
        self.find = Retriever(self.shelf, {"安心": "安心医疗条款", "车险": "car"})
        self.reached: list[int] = []
        self.evidence = self.shelf.evidence()
        self.ask = Ask(
            rights=self.shelf.rights(),
            retrieve=self.find,
            reached=self._reach,
            evidence=self.evidence,
            conversations=self.shelf,  # type: ignore[arg-type]
            reports=self.shelf,  # type: ignore[arg-type]
            scenarios=lambda: table("tiny" if model is not None else "extractive", highest),
            quote=words_of,
            served=Served(model, marked) if model is not None else None,
        )

    async def _reach(self, sequence: int) -> None:
        self.reached.append(sequence)

    async def __call__(self, question: str, **changes: Any) -> list[AnswerEvent]:
        return [each async for each in self.ask(Asked(**({"caller": ME, "question": question, "grade": 2} | changes)))]

    @property
    def told(self) -> pb.Retrieval:
        return self.shelf.records[-1].retrieval


def end_of(events: list[AnswerEvent]) -> Ended:
    assert isinstance(events[-1], Ended)
    return events[-1]


async def test_an_answer_is_retrieved_sentences_end_and_the_record_tells_all() -> None:
    desk = Desk()
    events = await desk("等待期是多久？", min_sequence=7)
    assert [type(each) for each in events] == [Retrieved, Sentence, Ended]
    end = end_of(events)
    assert (end.answered, end.refusal, end.message, end.answerer) == (True, "", "", "extractive")
    assert [each.reason for each in end.warnings] == ["CONFLICTING_SOURCES"]
    (record,) = desk.shelf.records
    assert end.audit_record_id == record.audit_record_id and desk.reached == [7]
    told = record.retrieval
    assert (told.kind, told.stage, told.clearance, told.groups, told.sequence) == (1, 1, 2, 1, 41)
    assert [(each.cited, each.readable) for each in told.passages] == [(True, True), (False, True)]
    assert told.answer_commitment == commitment_ring().primary.commit(WAITING.encode())
    assert told.configuration_sha256 == b"\x9c" * 32 and list(told.warnings) == ["CONFLICTING_SOURCES"]
    assert [read.ordinals for read in desk.shelf.kept_reads] == [(0, 1)]


async def test_nothing_is_shown_before_it_stands_in_the_log() -> None:
    desk = Desk()
    desk.shelf.failure = Unavailable("away")
    with pytest.raises(Unavailable):
        await anext(desk.ask(Asked(ME, "等待期是多久？")))
    assert desk.shelf.kept_reads == []


async def test_what_may_not_be_read_is_as_if_it_were_not_there() -> None:
    there, gone = Desk(), Desk()
    gone.shelf.rows = [row for row in gone.shelf.rows if row[1].submission.document_id != "internal"]
    answers = []
    for desk in (there, gone):
        events = await desk("内部赔付上限是多少？", scope=Scope(("internal",)))
        answers.append([replace(each, audit_record_id="") if isinstance(each, Ended) else each for each in events])
    assert answers[0] == answers[1]
    end = end_of(answers[0])
    assert (end.answered, end.refusal, end.message) == (False, "NOT_SUPPORTED", "在您有权查阅的文件中没有找到答案。")
    assert there.shelf.calls == gone.shelf.calls, "the same look-ups"
    key = document_key(commitment_ring().primary, "bank-a", "internal")
    assert (list(there.told.forbidden_keys), list(gone.told.forbidden_keys)) == ([key], [])


async def test_the_same_question_with_the_rights_is_answered() -> None:
    desk = Desk()
    desk.shelf.grants["理赔员"] = Grant(3, frozenset({"board"}))
    end = end_of(await desk("内部赔付上限是多少？", caller=replace(ME, clearance=3)))
    assert end.answered
    assert not end_of(await desk("内部赔付上限是多少？")).answered, "the token's clearance is the lower one"


async def test_an_unanswered_question_is_kept_without_identifiers() -> None:
    desk = Desk()
    await desk("手机 13800138000 的客户何时退保？")
    ((question, refusal),) = desk.shelf.questions
    assert "13800138000" not in question and "退保" in question and refusal == "NOT_SUPPORTED"
    assert desk.told.refusal == "NOT_SUPPORTED"


async def test_english_questions_are_refused_in_english() -> None:
    assert end_of(await Desk()("What is the surrender value?")).message == "Not found in the documents you may read."


async def test_rights_that_went_while_it_was_answered_count() -> None:
    desk = Desk()
    quote = desk.ask._quote

    async def and_revoke(question: str, passages: Sequence[Passage], standing: Standing, as_of: AsOf) -> Answered:
        answered = await quote(question, passages, standing, as_of)
        desk.shelf.accesses[desk.waiting.chunk.access_id] = Access(3)
        return answered

    desk.ask._quote = and_revoke
    events = await desk("等待期是多久？")
    assert [type(each) for each in events] == [Retrieved, Ended] and not end_of(events).answered
    assert isinstance(events[0], Retrieved) and not events[0].passages and not desk.told.passages


async def test_warnings_of_what_is_cited() -> None:
    desk = Desk()
    old = desk.shelf.put(version("old", to_seq=12, review_us=NOW_US - 1), "旧等待期为180日。")
    desk.shelf.put(version("rider", base="old"), "本批单修改第五条。")

    async def old_words(*_: object) -> Answered:
        return Answered((quoted(old[0]),))

    desk.ask._quote = old_words
    found = {each.reason: each for each in end_of(await desk("旧等待期？")).warnings}
    assert found.keys() == {"SUPERSEDED", "REVIEW_DUE", "ENDORSED"}
    assert found["ENDORSED"].passages == (old[0].id,) and "批单" in found["ENDORSED"].message


async def test_a_conversation_keeps_what_was_named_until_something_else_is() -> None:
    desk = Desk()
    desk.shelf.put(version("car"), "车辆免赔额为2000元。")
    for question, scope in (
        ("等待期是多久？", ()),
        ("安心医疗条款的等待期？", ("terms",)),
        ("免赔额呢？", ("terms",)),
        ("车险的免赔额？", ("car",)),
        ("免赔额再说一遍？", ("car",)),
    ):
        events = await desk(question, conversation_id="c")
        assert isinstance(events[0], Retrieved)
        assert (events[0].scope.documents, events[0].conversation_id) == (scope, "c")
    kept = desk.shelf.conversations["bank-a", "理赔员", "c"]
    assert kept.scope == Scope(("car",)) and len(kept.turns) == 5
    assert {each.version.submission.document_id for each in events[0].passages} == {"car"}
    await desk.shelf.reset("bank-a", "理赔员", "c", False)
    events = await desk("免赔额呢？", conversation_id="c")
    assert isinstance(events[0], Retrieved) and not events[0].scope


async def test_a_scope_that_is_stated_replaces_the_conversations() -> None:
    desk = Desk()
    desk.shelf.put(version("car"), "车辆免赔额为2000元。")
    await desk("安心医疗条款的等待期？", conversation_id="c")
    await desk("安心医疗的免赔额呢？", conversation_id="c", scope=Scope(("car",)))
    assert desk.shelf.conversations["bank-a", "理赔员", "c"].scope == Scope(("car",))


async def test_headings_and_terms_that_a_question_names_are_no_scope() -> None:
    desk = Desk()
    desk.find.named = {"免赔额": "免赔额"}
    events = await desk("免赔额是多少？", conversation_id="c")
    assert isinstance(events[0], Retrieved) and not events[0].scope


async def test_earlier_questions_narrow_where_no_conversation_is_kept() -> None:
    desk = Desk()
    desk.shelf.put(version("car"), "车辆免赔额为2000元。")
    earlier = ("安心医疗条款的等待期？", "车险的免赔额？", "多少？")
    events = await desk("免赔额呢？", earlier_questions=earlier)
    assert isinstance(events[0], Retrieved) and events[0].scope == Scope(("car",)) and desk.told.scope_commitment
    events = await desk("安心医疗的免赔额呢？", earlier_questions=earlier)
    assert isinstance(events[0], Retrieved) and events[0].scope == Scope(("terms",)), "what the question itself names comes first"
    events = await desk("免赔额呢？", earlier_questions=earlier, conversation_id="c")
    assert isinstance(events[0], Retrieved) and not events[0].scope and not desk.shelf.conversations["bank-a", "理赔员", "c"].scope


async def test_another_principals_conversation_of_the_same_name_is_another() -> None:
    desk = Desk()
    await desk("安心医疗条款的等待期？", conversation_id="c")
    events = await desk("免赔额呢？", conversation_id="c", caller=replace(ME, principal="别人"))
    assert isinstance(events[0], Retrieved) and not events[0].scope


async def test_earlier_passages_that_may_not_be_read_any_more_are_told_to_the_log_and_to_no_model() -> None:
    model = ScriptedModel([f"{DEDUCTIBLE} [1]"])
    desk = Desk(model=model)
    model.pieces = [f"{WAITING} [1]"]
    await desk("等待期是多久？", conversation_id="c")
    desk.shelf.accesses[desk.waiting.chunk.access_id] = Access(3)
    desk.shelf.put(version("new"), DEDUCTIBLE, access=Access(2))
    model.pieces = [f"{DEDUCTIBLE} [1]"]
    await desk("免赔额呢？", conversation_id="c")
    assert [turn[1] for turn in model.prompts[-1].turns] == ["等待期是多久？", "NOT FOUND", "免赔额呢？"]
    begun = desk.shelf.records[-2].retrieval
    assert [(each.readable, each.ordinal) for each in begun.passages] == [(True, 0), (False, 0)]


async def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(NotFound) as caught:
        await Desk()("等待期？", scenario="trading")
    assert caught.value.reason == "SCENARIO_UNKNOWN"


WROTE = Written("tiny", "0198c1d2-7a3b-7c4d-8e5f-60718293a4b5", 120, 9)


async def test_a_models_sentences_are_shown_as_far_as_they_hold() -> None:
    model = ScriptedModel(["等待期为90", "日。", " [", "1] 免赔额为500元。[2]", "免赔额为5000元。[2] 没有标记。", WROTE])
    desk = Desk(model=model)
    events = await desk("等待期和免赔额？")
    assert [each.text for each in events if isinstance(each, Sentence)] == [WAITING, DEDUCTIBLE]
    end = end_of(events)
    assert (end.answerer, end.prompt_tokens, end.output_tokens) == ("tiny", 120, 9)
    begun, ended = (each.retrieval for each in desk.shelf.records)
    assert (begun.stage, ended.stage, list(ended.generation_ids)) == (2, 3, [WROTE.generation_id])
    assert [each.readable for each in begun.passages] == [True, True] and all(each.cited for each in ended.passages)
    assert end.audit_record_id == desk.shelf.records[-1].audit_record_id
    assert model.prompts[0].grade == 2 and WAITING[:-1] in model.prompts[0].instructions


@pytest.mark.parametrize(
    ("pieces", "refusal"),
    [
        (["免赔额为5000元。[2]", WROTE], "GUARDRAIL_CONFLICT"),
        (["NOT FOUND", WROTE], "NOT_SUPPORTED"),
        ([], "NOT_SUPPORTED"),
        ([Unavailable("no worker")], "ANSWERER_UNAVAILABLE"),
    ],
)
async def test_a_model_that_says_nothing_that_holds_is_no_answer(pieces: list[Any], refusal: str) -> None:
    desk = Desk(model=ScriptedModel(pieces))
    events = await desk("免赔额？")
    assert [type(each) for each in events] == [Retrieved, Ended]
    assert (end_of(events).refusal, desk.told.refusal) == (refusal, refusal)


async def test_passages_above_the_scenarios_grade_stand_in_no_prompt() -> None:
    model = ScriptedModel([f"{WAITING} [1]"])
    desk = Desk(model=model)
    desk.shelf.grants["理赔员"] = Grant(3, frozenset({"board"}))
    await desk("上限？", caller=replace(ME, clearance=3))
    assert SECRET not in model.prompts[0].instructions
    raised = Desk(model=model, highest=3)
    raised.shelf.grants["理赔员"] = Grant(3, frozenset({"board"}))
    await raised("上限？", caller=replace(ME, clearance=3))
    assert SECRET[:-1] in model.prompts[1].instructions and model.prompts[1].grade == 3


async def test_a_caller_that_goes_away_leaves_the_record_of_an_end() -> None:
    model = ScriptedModel([f"{WAITING} [1] 免赔额", "…"])
    desk = Desk(model=model)
    async with aclosing(desk.ask(Asked(ME, "等待期？"))) as events:
        async for event in events:
            if isinstance(event, Sentence):
                break
    await desk.evidence.aclose()
    ended = desk.told
    assert (ended.stage, ended.interrupted, [each.cited for each in ended.passages]) == (3, True, [True])


async def test_rights_that_go_while_a_model_writes_end_its_sentences() -> None:
    model = ScriptedModel([f"{WAITING} [1] 免赔额", "为500元。[2] 完", WROTE])
    desk = Desk(model=model)
    shown = []
    async for event in desk.ask(Asked(ME, "等待期和免赔额？")):
        if isinstance(event, Sentence):
            shown.append(event.text)
            desk.shelf.accesses[desk.waiting.chunk.access_id] = Access(3)
    assert shown == [WAITING]


async def revoked_after_a_sentence(desk: Desk, question: str = "等待期是多久？", **changes: Any) -> list[AnswerEvent]:
    """Ask, and lose the right to the passage that is cited when the first event is shown."""
    events = []
    async for event in desk.ask(Asked(**({"caller": ME, "question": question, "grade": 2} | changes))):
        events.append(event)
        desk.shelf.accesses[desk.waiting.chunk.access_id] = Access(3)
    return events


async def test_a_right_that_goes_before_a_sentence_is_shown_ends_the_answer_and_the_log_is_told() -> None:
    desk = Desk()
    events = await revoked_after_a_sentence(desk, conversation_id="c")
    assert [type(each) for each in events] == [Retrieved, Ended]
    end, (first, last) = end_of(events), (each.retrieval for each in desk.shelf.records)
    assert (end.answered, end.refusal, list(end.warnings)) == (False, "NOT_SUPPORTED", [])
    assert (first.stage, last.stage, last.refusal) == (1, 3, "NOT_SUPPORTED") and not last.passages
    assert end.audit_record_id == desk.shelf.records[-1].audit_record_id
    assert desk.shelf.conversations["bank-a", "理赔员", "c"].turns[0].sentences == ()


async def test_a_warning_tells_nothing_of_a_passage_whose_right_went() -> None:
    desk = Desk()
    other = desk.shelf.put(version("other"), "等待期为60日。", access=Access(2))[0]

    async def two_sources(*_: object) -> Answered:
        return Answered((quoted(desk.waiting),), (Warned("CONFLICTING_SOURCES", "other：等待期为60日。", (desk.waiting.id, other.id)),))

    desk.ask._quote = two_sources
    assert [each.reason for each in end_of(await desk("等待期？")).warnings] == ["CONFLICTING_SOURCES"]
    events = []
    async for event in desk.ask(Asked(ME, "等待期？", grade=2)):
        events.append(event)
        if isinstance(event, Sentence):
            desk.shelf.accesses[other.chunk.access_id] = Access(3)
    assert [type(each) for each in events] == [Retrieved, Sentence, Ended] and not end_of(events).warnings


async def test_rights_that_go_faster_than_an_answer_are_named() -> None:
    desk = Desk()
    find = desk.find

    async def fewer_each_time(query: Query) -> Found:
        found = await find(query)
        desk.shelf.rows.remove((found.passages[0].chunk, found.passages[0].version))
        return found

    for place in range(4):
        desk.shelf.put(version(f"more {place}"), WAITING)
    desk.ask._retrieve = fewer_each_time
    with pytest.raises(Unavailable) as caught:
        await desk("等待期？")
    assert caught.value.reason == "RIGHTS_CHANGED"


async def test_earlier_sentences_above_the_scenarios_grade_stand_in_no_prompt() -> None:
    model = ScriptedModel([f"{SECRET} [3]"])
    desk = Desk(model=model, highest=3)
    desk.shelf.grants["理赔员"] = Grant(3, frozenset({"board"}))
    me = replace(ME, clearance=3)
    await desk("上限？", caller=me, conversation_id="c")
    assert desk.shelf.conversations["bank-a", "理赔员", "c"].turns[0].sentences
    await desk("等待期？", caller=me, conversation_id="c", scope=Scope(("terms",)))
    assert model.prompts[-1].grade == 3 and SECRET in str(model.prompts[-1].turns), "it raises the grade of the prompt"
    lower = Desk(model=model, highest=2)
    lower.shelf.grants, lower.shelf.conversations = desk.shelf.grants, desk.shelf.conversations
    await lower("等待期？", caller=me, conversation_id="c", scope=Scope(("terms",)))
    assert model.prompts[-1].grade == 2 and SECRET not in str(model.prompts[-1].turns)
