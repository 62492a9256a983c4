"""The bytes of rag's records: what they say, what they never say, and that the log takes them."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from audit.translate.plaintext import Plaintext
from finmesh.audit.v1 import audit_record_pb2 as pb
from meshkit.audit.batch import MAX_RECORD_BYTES
from meshkit.audit.denials import principal_key
from meshkit.audit.records import AuditRecords
from meshkit.clock import FakeClock
from meshkit.crypto.derive import COMMITMENT, DEVELOPMENT_ROOT, derive_key
from meshkit.testing.keys import commitment_ring
from rag.domain.caller import Caller
from rag.domain.citing import PassageId
from rag.domain.document import FOREVER
from rag.domain.evidence import Act, ChangeAct, Stage, Told
from rag.domain.retrieval import Scope
from rag.translate.records import RecordCodec, document_key

from tests.unit.rag.looks import CALLER, CARD, DOCUMENT, PHONE, RESIDENT, change, look

KEY = derive_key(DEVELOPMENT_ROOT, COMMITMENT)


def codec() -> RecordCodec:
    return RecordCodec(AuditRecords("rag", "0.2.0", FakeClock(1_790_000_001.0)), commitment_ring())


def parsed(made: tuple[str, bytes]) -> pb.AuditRecord:
    record = pb.AuditRecord.FromString(made[1])
    assert record.audit_record_id == made[0]
    return record


def committed(text: str) -> bytes:
    return hmac.digest(KEY, text.encode(), "sha256")


def test_a_look_says_who_with_which_rights_and_what_was_shown() -> None:
    record = parsed(codec().looked(look()))
    assert (record.producer, record.tenant, record.scenario, record.purpose) == ("rag", "bank-a", "knowledge", "claims-handling")
    assert (record.request_id, record.policy_hash, record.grade) == (CALLER.request_id, b"\x91" * 32, 2)
    assert record.principal_key == principal_key(commitment_ring().primary, "bank-a", "张三") and record.commitment_key_id == "dev-1"
    assert list(record.degradations) == ["ENCODER_UNAVAILABLE"]
    told = record.retrieval
    assert (told.kind, told.stage) == (pb.RETRIEVAL_KIND_ASK, pb.RETRIEVAL_STAGE_WHOLE)
    assert (told.clearance, told.groups, told.barriers, told.sequence, told.known_at_sequence) == (2, 2, 1, 41, 40)
    assert told.valid_at.seconds == 1_700_000_000
    assert told.access_sha256 == sha256(b"3,7,12").digest()
    assert told.query_commitment == committed(f"{PHONE} 的免赔额是多少？")
    assert told.scope_commitment == committed(f'[["{DOCUMENT}"],["安心医疗"]]')
    assert told.answer_commitment == committed(f"卡号 {CARD} 的免赔额为 500 元")
    assert (told.answerer, told.configuration_sha256, list(told.warnings)) == ("extractive", b"\x9c" * 32, ["REVIEW_DUE"])


def test_passages_are_told_by_keys_and_what_was_named_and_forbidden_is_told_too() -> None:
    told = parsed(codec().looked(look())).retrieval
    first, second, hidden = told.passages
    key = commitment_ring().primary
    assert first.document_key == document_key(key, "bank-a", DOCUMENT) and len(first.document_key) == 16
    assert (first.source_version, first.ordinal, first.cited, first.readable) == (3, 7, True, True)
    assert (first.text_sha256, first.text_commitment) == (b"", committed(f"卡号 {CARD} 的免赔额为 500 元")), "L3 has no plain digest"
    assert (second.source_version, second.cited, second.text_commitment) == (0, False, b""), "fourteen digits may be somebody's"
    assert second.text_sha256 == sha256("等待期 90 日".encode()).digest() and len(second.passage_key) == 16
    assert (hidden.readable, hidden.text_sha256, hidden.text_commitment) == (False, b"", b"")
    assert list(told.forbidden_keys) == [document_key(key, "bank-a", "secret")]
    assert document_key(key, "bank-b", "secret") not in told.forbidden_keys


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("stage", list(Stage))
def test_every_act_and_stage_has_a_number(act: Act, stage: Stage) -> None:
    told = parsed(codec().looked(look(act=act, stage=stage, known_at_seq=FOREVER, scope=Scope(), conversation_id=""))).retrieval
    assert (pb.RetrievalKind.Name(told.kind), pb.RetrievalStage.Name(told.stage)) == (f"RETRIEVAL_KIND_{act}", f"RETRIEVAL_STAGE_{stage}")
    assert (told.known_at_sequence, told.scope_commitment, told.conversation_key) == (0, b"", b"")


@pytest.mark.parametrize("act", list(ChangeAct))
def test_every_change_has_a_number_and_commits_to_what_was_said(act: ChangeAct) -> None:
    record = parsed(codec().changed(change(act, whom="李四", groups=("理赔",), barriers=("deal-7",), grade=2)))
    made = record.change.knowledge
    assert pb.KnowledgeAction.Name(made.action) == f"KNOWLEDGE_ACTION_{act}"
    assert (made.source_version, made.sequence, made.grade, made.groups, made.barriers) == (3, 44, 2, 1, 1)
    assert made.whom_key == principal_key(commitment_ring().primary, "bank-a", "李四")
    assert made.commitment == committed(f'[["{DOCUMENT}",3],"李四",["理赔"],["deal-7"],"按 {PHONE} 的要求"]')


def test_no_record_holds_a_name_a_question_or_an_identifier() -> None:
    contents = [codec().looked(look())[1], codec().changed(change(ChangeAct.WITHDRAW, whom="李四"))[1]]
    for content in contents:
        for word in ("张三", "李四", CARD, PHONE, RESIDENT, DOCUMENT, "secret", "deal-7", "理赔", "免赔", "安心医疗"):
            assert word.encode() not in content
        assert not Plaintext().in_record(pb.AuditRecord.FromString(content), content)


def test_the_longest_look_fits_a_leaf_and_a_call_without_principal_is_nobodys() -> None:
    many = [Told(PassageId("长" * 200, 10**15, number), "文" * 5_000, 3, cited=True) for number in range(400)]
    made = codec().looked(look(caller=Caller("bank-a"), passages=many, forbidden=["密" * 200] * 200))
    assert len(made[1]) <= MAX_RECORD_BYTES
    assert not parsed(made).principal_key


def test_surrogates_of_a_broken_client_are_committed_to_and_break_nothing() -> None:
    assert parsed(codec().looked(look(question="\ud800?"))).retrieval.query_commitment
