"""Every subcommand of `finmesh kb` that asks one thing: what it asks, as whom and what for, and what it shows of the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import rag_service_pb2 as rag
from meshkit.errors import FailedPrecondition, NotFound

from .conftest import AuditLog, Cli, FakeGateway

ESCAPE = "\x1b[31m"
READER, CURATOR = ("claims-desk", "claims-handling"), ("knowledge-desk", "knowledge-management")
OPERATOR = ("operations", "fraud-prevention")


@dataclass
class Told(FakeGateway):
    """A gateway that answers each RPC with what it is told."""

    answers: dict[str, list[Any]] = field(default_factory=dict)

    async def Tune(self, request: pb.TuneRequest, context: Any) -> AsyncIterator[pb.TuneResponse]:
        """Say how far it is, then the weights."""
        self._note(request)
        for answer in self.answers["Tune"]:
            yield pb.TuneResponse(response=answer)


def _unary(rpc: str) -> Callable[..., Any]:
    async def answered(self: Told, request: Any, context: Any) -> Any:
        self._note(request)
        return getattr(pb, f"{rpc}Response")(response=self.answers[rpc].pop(0))

    return answered


for _rpc in (
    "Search", "GetPassage", "ListDocuments", "GetDocument", "ListClauses", "Compare", "WithdrawDocument", "DecideQuarantine", "SetHold",
    "Purge", "ListUnanswered", "GetStatus",
):  # fmt: skip
    setattr(Told, _rpc, _unary(_rpc))


@pytest.fixture
def gateway(audit_log: AuditLog) -> Told:
    """A gateway of documents."""
    return Told(audit_log)


def version(**said: Any) -> documents.DocumentVersion:
    """A version that can be found."""
    known: dict[str, Any] = {"document_id": "条款", "source_version": 3, "state": documents.VERSION_STATE_VISIBLE}
    return documents.DocumentVersion(**(known | {"passages": 12, "grade": 2} | said))


def clause(number: str, text: str, **said: Any) -> rag.Clause:
    """A clause."""
    return rag.Clause(number=number, text=text, **said)


def passage(ordinal: int, text: str, **said: Any) -> documents.Passage:
    """A passage."""
    return documents.Passage(passage_id=f"条款@3#{ordinal}", title="安心医疗条款", text=text, **said)


SEARCHED = rag.SearchResponse(
    passages=[
        passage(7, f"等待期为90日。{ESCAPE}", rank=1, heading_path=["第二章"], page=4, clause="第五条", superseded=True, review_due=True),
        passage(8, "20岁 | 38.50", table_header="年龄 | 元"),
    ],
    explanations=[rag.Explanation(lexical_rank=1, scope=["安心医疗条款"]), rag.Explanation(expanded=["NEIGHBOUR"])],
    degradations=["ENCODER_UNAVAILABLE"],
)
STATUS = rag.GetStatusResponse(
    sequence=44, searchable_sequence=43, waiting=2, without_vector=9, versions={"VISIBLE": 5, "FAILED": 1}, degradations=["NO_DENSE_LEG"]
)
COMPARED = rag.CompareResponse(
    differences=[
        rag.Difference(
            kind=rag.DIFFERENCE_KIND_CHANGED,
            left=clause("第五条", "等待期90日"),
            right=clause("第五条", "等待期60日"),
            values=["90日 → 60日"],
        ),
        rag.Difference(kind=rag.DIFFERENCE_KIND_ADDED, right=clause("第九条", "潜水")),
    ],
    equal=17,
)
LISTED = rag.ListClausesResponse(
    clauses=[clause("第三条", "毒品", endorsement_document_id="批单一"), clause("第八条", "酒后驾驶", replaced_by="批单一")],
    warnings=[rag.Warning(reason="ENDORSED", message="另有批单")],
)
UNANSWERED = rag.ListUnansweredResponse(unanswered=[rag.Unanswered(question=f"火星分行？{ESCAPE}", refusal="NOT_SUPPORTED", count=3)])
QUARANTINE = ("quarantine", "条款", "3", "--why", "误报", "--release-at", "2")


@dataclass(frozen=True)
class Example:
    """A command, who asks what of whom, and what is shown."""

    words: tuple[str, ...]
    rpc: str
    answer: Any
    whose: tuple[str, str]
    asked: Mapping[str, Any]
    shown: tuple[str, ...]


EXAMPLES = [
    Example(
        ("search", "等待期？", "--limit", "5", "--explain", "--expand", "2"),
        "Search", SEARCHED, READER, {"question": "等待期？", "limit": 5, "explain": True, "expand": 2, "grade": 2},
        ("条款@3#7", "安心医疗条款 > 第二章", "page 4 第五条 superseded review due", "年龄 | 元",
         "1: lexical 1, dense -, 安心医疗条款", "NEIGHBOUR", "ENCODER_UNAVAILABLE"),
    ),
    Example(
        ("passage", "finmesh://knowledge/x/3#7", "--neighbours", "1"), "GetPassage",
        rag.GetPassageResponse(passage=passage(7, "等待期为90日。"), neighbours=[passage(8, "犹豫期为15日。")]), READER,
        {"passage_id": "finmesh://knowledge/x/3#7", "neighbours": 1}, ("等待期为90日。", "犹豫期为15日。"),
    ),
    Example(
        ("compare", "条款", "条款", "--left-version", "2", "--right-version", "3"), "Compare", COMPARED, READER,
        {"left": rag.Side(document="条款", source_version=2), "right": rag.Side(document="条款", source_version=3)},
        ("CHANGED", "90日 → 60日", "ADDED", "第九条", "17 equal"),
    ),
    Example(
        ("clauses", "条款", "--kind", "heading", "--heading", "责任免除"), "ListClauses", LISTED, READER,
        {"document": "条款", "kind": rag.CLAUSE_KIND_HEADING, "heading": "责任免除"},
        ("第三条", "批单一", "酒后驾驶", "ENDORSED: 另有批单"),
    ),
    Example(("clauses", "条款"), "ListClauses", LISTED, READER, {"kind": rag.CLAUSE_KIND_EXCLUSION}, ("毒品",)),
    Example(
        ("show", "条款"), "GetDocument",
        rag.GetDocumentResponse(versions=[version(), version(state=documents.VERSION_STATE_PARTIAL, reason="SECRETS_WITHHELD")]),
        READER, {"document_id": "条款"}, ("VISIBLE", "12", "L2", "PARTIAL", "SECRETS_WITHHELD"),
    ),
    Example(("status",), "GetStatus", STATUS, CURATOR, {}, ("44", "43", "without vector", "9", "FAILED", "NO_DENSE_LEG")),
    Example(
        ("withdraw", "条款", "--version", "2"), "WithdrawDocument", rag.WithdrawDocumentResponse(sequence=45), CURATOR,
        {"document_id": "条款", "source_version": 2}, ("sequence 45",),
    ),
    Example(("hold", "条款", "--why", "诉讼"), "SetHold", rag.SetHoldResponse(), CURATOR, {"held": True, "why": "诉讼"}, ("held",)),
    Example(("hold", "条款", "--why", "结案", "--lift"), "SetHold", rag.SetHoldResponse(), CURATOR, {"held": False}, ("lifted",)),
    Example(
        ("purge", "条款", "--why", "到期"), "Purge", rag.PurgeResponse(sequence=46), CURATOR, {"document_id": "条款", "why": "到期"},
        ("under way since sequence 46",),
    ),
    Example(("purge", "条款", "--why", "到期"), "Purge", rag.PurgeResponse(finished=True), CURATOR, {}, ("destroyed everywhere",)),
    Example(
        QUARANTINE, "DecideQuarantine", rag.DecideQuarantineResponse(version=version(state=documents.VERSION_STATE_ENROLLED)), CURATOR,
        {"document_id": "条款", "source_version": 3, "release_at": 2, "why": "误报"}, ("ENROLLED",),
    ),
    Example(
        ("unanswered", "--since", "2026-01-31", "--limit", "7"), "ListUnanswered", UNANSWERED, CURATOR, {"limit": 7},
        ("火星分行？", "NOT_SUPPORTED", "3"),
    ),
]  # fmt: skip


def whose(gateway: Told) -> tuple[str, str]:
    """Who asked last, and what for."""
    headers = gateway.headers[-1]
    claims = jwt.decode(headers["authorization"].removeprefix("Bearer "), options={"verify_signature": False})
    return claims["sub"], headers["x-finmesh-purpose"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(example.words[:3]))
async def test_what_a_command_asks_and_shows(cli: Cli, gateway: Told, example: Example) -> None:
    gateway.answers[example.rpc] = [example.answer]
    result = await cli("kb", *example.words)
    assert result.exit_code == 0, result.output
    (asked,) = gateway.asked
    assert asked.DESCRIPTOR.name == f"{example.rpc}Request" and asked.tenant == "bank-a"
    assert {name: getattr(asked, name) for name in example.asked} == example.asked
    assert whose(gateway) == example.whose
    missing = [each for each in example.shown if each not in result.stdout]
    assert not missing and ESCAPE not in result.output, result.stdout


async def test_times_and_scope_of_a_search_are_told(cli: Cli, gateway: Told) -> None:
    gateway.answers["Search"] = [rag.SearchResponse()]
    await cli("kb", "search", "问", "--document", "甲", "--document", "乙", "--valid-at", "2026-01-31T08:00:00+08:00", "--known-at", "41")
    (asked,) = gateway.asked
    assert list(asked.scope.documents) == ["甲", "乙"] and asked.as_of.known_at_sequence == 41
    assert asked.as_of.valid_at.ToJsonString() == "2026-01-31T00:00:00Z"


async def test_all_pages_of_documents_are_listed(cli: Cli, gateway: Told) -> None:
    first = rag.ListDocumentsResponse(documents=[version(title=f"标题[甲]{ESCAPE}", held=True)], next_page_token="条款")
    gateway.answers["ListDocuments"] = [first, rag.ListDocumentsResponse(documents=[version(document_id="须知")])]
    shown = (await cli("kb", "ls")).stdout
    assert "标题[甲]" in shown and "须知" in shown and "held" in shown and ESCAPE not in shown
    assert [each.page_token for each in gateway.asked] == ["", "条款"] and whose(gateway) == READER


async def test_what_is_refused_is_told_by_its_reason(cli: Cli, gateway: Told) -> None:
    gateway.failure = FailedPrecondition("the document is under legal hold", reason="LEGAL_HOLD")
    held = await cli("kb", "purge", "条款", "--why", "到期")
    gateway.failure = NotFound("there is no such document", reason="DOCUMENT_NOT_FOUND")
    absent = await cli("kb", "show", "条款")
    assert held.exit_code and "LEGAL_HOLD" in held.output and absent.exit_code and "DOCUMENT_NOT_FOUND" in absent.output


@pytest.mark.parametrize(
    "words", [("hold", "条款"), ("purge", "条款"), ("search", "问", "--expand", "11"), ("quarantine", "条款", "0", "--why", "x")]
)
async def test_what_is_missing_or_out_of_bounds_is_said_before_anything_is_asked(cli: Cli, gateway: Told, words: tuple[str, ...]) -> None:
    assert (await cli("kb", *words)).exit_code == 2 and not gateway.asked


async def test_tuning_tells_how_far_it_is_and_what_holds(cli: Cli, gateway: Told) -> None:
    weight = rag.LegWeight(language="HAN", dense=0.35, probes=300, lexical_found=0.81, dense_found=0.62, mixed_found=0.88)
    gateway.answers["Tune"] = [
        rag.TuneResponse(probing=rag.Probing(done=0, of=300)),
        rag.TuneResponse(probing=rag.Probing(done=300, of=300)),
        rag.TuneResponse(version=4, weights=[weight, rag.LegWeight(language="OTHER", dense=0.3, probes=12)]),
    ]
    result = await cli("kb", "tune")
    assert result.exit_code == 0, result.output
    for fact in ("HAN", "0.35", "0.880", "OTHER", "0.30", "version 4 holds from now on"):
        assert fact in result.stdout
    assert whose(gateway) == OPERATOR and gateway.asked[0].tenant == "bank-a"
    gateway.failure = FailedPrecondition("the lexical leg stands alone", reason="NO_DENSE_LEG")
    assert "NO_DENSE_LEG" in (await cli("kb", "tune")).output
