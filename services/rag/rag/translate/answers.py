"""Questions, answers, conversations and reports, as messages and back."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from finmesh.rag.v1 import rag_service_pb2 as pb
from meshkit.rpc.metadata import CallerFacts

from rag.domain.answer import AnswerEvent, Citation, Ended, Retrieved, Sentence, Warned
from rag.domain.asking import Asked
from rag.domain.caller import Caller
from rag.domain.citing import PassageId
from rag.domain.conversation import Conversation, Read, Unanswered
from rag.domain.retrieval import Passage, Scope
from rag.translate import documents
from rag.translate.times import micros, set_micros
from rag.translate.violations import wrong

MAX_QUESTION, MAX_CONVERSATION, MAX_COMMENT, MAX_SCOPE, MAX_NAME, MAX_RECORD_ID, MAX_EARLIER = 4_000, 100, 2_000, 64, 500, 100, 20
_LIMIT_SEQUENCE = 1 << 62
Grade = Callable[[Passage], int]


def caller(tenant: str, facts: CallerFacts) -> Caller:
    """Return who calls, as the gateway found out."""
    return Caller(
        tenant=tenant,
        principal=facts.principal,
        purpose=facts.purpose,
        clearance=facts.clearance,
        request_id=facts.request_id,
        policy_hash=facts.policy_hash,
        budget_key=facts.budget_key,
    )


def asked(request: pb.AskRequest, facts: CallerFacts) -> Asked:
    """Return a question. Raises InvalidArgument (QUESTION_INVALID, SCOPE_INVALID, TIME_INVALID, CONVERSATION_ID_INVALID, GRADE_INVALID)."""
    return Asked(
        caller=caller(request.tenant, facts),
        question=question(request.question),
        scenario=request.scenario or facts.scenario,
        grade=grade(request.grade),
        scope=scope(request.scope),
        valid_at_us=micros(request.as_of.valid_at, "as_of.valid_at") if request.as_of.HasField("valid_at") else None,
        known_at_seq=sequence(request.as_of.known_at_sequence, "as_of.known_at_sequence"),
        conversation_id=conversation_id(request.conversation_id, required=False),
        min_sequence=sequence(request.min_sequence, "min_sequence"),
        earlier_questions=_earlier(request.earlier_questions),
    )


def _earlier(questions: Iterable[str]) -> tuple[str, ...]:
    found = [_text(each, "earlier_questions", 1, MAX_QUESTION, "QUESTION_INVALID", allowed="\n\t\r") for each in questions]
    if len(found) > MAX_EARLIER:
        raise wrong("earlier_questions", f"holds at most {MAX_EARLIER} questions", "QUESTION_INVALID")
    return tuple(found)


def question(text: str) -> str:
    """Return a question without blanks around it. Raises InvalidArgument (QUESTION_INVALID)."""
    return _text(text, "question", 1, MAX_QUESTION, "QUESTION_INVALID", allowed="\n\t\r").strip()


def comment(text: str) -> str:
    """Return a comment. Raises InvalidArgument (COMMENT_INVALID)."""
    return _text(text, "comment", 0, MAX_COMMENT, "COMMENT_INVALID", allowed="\n\t\r").strip()


def grade(stated: int) -> int:
    """Return a grade of a question's data. Raises InvalidArgument (GRADE_INVALID)."""
    if not 0 <= stated <= 5:
        raise wrong("grade", "is L1 to L5", "GRADE_INVALID")
    return stated


def sequence(stated: int, field: str) -> int:
    """Return a sequence of the ledger. Raises InvalidArgument (SEQUENCE_INVALID)."""
    if stated >= _LIMIT_SEQUENCE:
        raise wrong(field, "is no sequence of a ledger", "SEQUENCE_INVALID")
    return stated


def scope(message: pb.Scope) -> Scope:
    """Return what narrows a question. Raises InvalidArgument (SCOPE_INVALID)."""
    for field, names in (("scope.documents", message.documents), ("scope.products", message.products)):
        if len(names) > MAX_SCOPE:
            raise wrong(field, f"holds at most {MAX_SCOPE} names", "SCOPE_INVALID")
        for name in names:
            _text(name, field, 1, MAX_NAME, "SCOPE_INVALID")
    return Scope(tuple(message.documents), tuple(message.products))


def conversation_id(text: str, *, required: bool = True) -> str:
    """Return a conversation's id: any that the caller likes. Raises InvalidArgument (CONVERSATION_ID_INVALID)."""
    return _text(text, "conversation_id", 1 if required else 0, MAX_CONVERSATION, "CONVERSATION_ID_INVALID")


def verdict(stated: int) -> str:
    """Return a verdict's name. Raises InvalidArgument (VERDICT_INVALID)."""
    if stated not in (pb.VERDICT_USEFUL, pb.VERDICT_WRONG, pb.VERDICT_MISSING):
        raise wrong("verdict", "is useful, wrong or missing", "VERDICT_INVALID")
    return pb.Verdict.Name(stated).removeprefix("VERDICT_")


def record_id(text: str) -> str:
    """Return the id of an audit record as it is stated. Raises InvalidArgument (AUDIT_RECORD_ID_INVALID)."""
    return _text(text, "audit_record_id", 1, MAX_RECORD_ID, "AUDIT_RECORD_ID_INVALID")


def passage(found: Passage, grade: int, now_us: int, rank: int = 0) -> pb.Passage:  # type: ignore[name-defined]
    """Return a passage for its reader, who may read it."""
    return documents.passage_message(found.chunk, found.version, grade, now_us=now_us, rank=rank, superseded=found.superseded)


def event(told: AnswerEvent, grade: Grade, now_us: int) -> pb.AskResponse:
    """Return a piece of an answer."""
    match told:
        case Retrieved():
            passages = [passage(each, grade(each), now_us, 0 if each.added else rank) for rank, each in enumerate(told.passages, 1)]
            retrieved = pb.Retrieved(passages=passages, scope=scope_message(told.scope), sequence=told.sequence)
            retrieved.conversation_id = told.conversation_id
            return pb.AskResponse(retrieved=retrieved)
        case Sentence():
            return pb.AskResponse(sentence=sentence(told))
        case Ended():
            return pb.AskResponse(end=_end(told))


def _end(told: Ended) -> pb.AnswerEnd:
    return pb.AnswerEnd(
        answered=told.answered,
        refusal=told.refusal,
        message=told.message,
        warnings=[warning(each) for each in told.warnings],
        answerer=told.answerer,
        audit_record_id=told.audit_record_id,
        prompt_tokens=told.prompt_tokens,
        output_tokens=told.output_tokens,
    )


def sentence(told: Sentence) -> pb.Sentence:
    """Return a sentence with what it rests on."""
    message = pb.Sentence(text=told.text, citations=[citation(each) for each in told.citations])
    if (derived := told.derivation) is not None:
        message.derivation.CopyFrom(pb.Derivation(formula=derived.formula, operands=derived.operands, result=derived.result))
    return message


def citation(told: Citation) -> pb.Citation:
    """Return a citation."""
    return pb.Citation(
        passage_id=str(told.passage),
        start=told.start,
        end=told.end,
        text_sha256=told.text_sha256,
        page=told.page,
        cell=told.cell,
        url=told.passage.url,
        superseded=told.superseded,
    )


def warning(told: Warned) -> pb.Warning:
    """Return a warning."""
    return pb.Warning(reason=told.reason, message=told.message, passage_ids=[str(each) for each in told.passages])


def scope_message(told: Scope) -> pb.Scope:
    """Return a scope."""
    return pb.Scope(documents=told.documents, products=told.products)


def conversation_message(told: Conversation) -> pb.GetConversationResponse:
    """Return a conversation."""
    message = pb.GetConversationResponse(scope=scope_message(told.scope))
    for turn in told.turns:
        made = message.turns.add(question=turn.question, sentences=[sentence(each) for each in turn.sentences])
        set_micros(made.asked_at, turn.asked_at_us)
    return message


def unanswered_message(told: Unanswered) -> pb.Unanswered:
    """Return a question without an answer."""
    message = pb.Unanswered(question=told.question, refusal=told.refusal, count=told.count)
    set_micros(message.last_asked_at, told.last_asked_at_us)
    return message


def read_message(told: Read) -> pb.Read:
    """Return who read what."""
    message = pb.Read(
        principal=told.principal,
        purpose=told.purpose,
        document_id=told.document_id,
        source_version=told.source_version,
        passage_ids=[str(PassageId(told.document_id, told.source_version, each)) for each in told.ordinals],
        audit_record_id=told.audit_record_id,
    )
    set_micros(message.read_at, told.read_at_us)
    return message


def _text(text: str, field: str, least: int, most: int, reason: str, allowed: str = "") -> str:
    if not least <= len(text) <= most or (least and not text.strip()):
        raise wrong(field, f"has {least} to {most} characters", reason)
    if any(unicodedata.category(each) in ("Cc", "Cs") and each not in allowed for each in text):
        raise wrong(field, "holds no controls", reason)
    return text
