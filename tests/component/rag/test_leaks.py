"""Nothing tells a caller of what it may not read: every path, every kind of demand, whole responses compared byte by byte.

The same questions are asked of two worlds: in one, documents that share the questions' words may not be read; in the other as many lie
with another tenant, so that even the ledger's sequence is the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from finmesh.rag.v1 import rag_service_pb2 as pb
from rag.adapters.ledger.library import LedgerLibrary
from rag.domain.access import Access
from rag.steps.evidence import Evidence

from tests.component.rag.world import NOW_US, TENANT, World, caller, world

READER = caller("reader", clearance=2, purpose="claims")
QUESTION = "重大疾病的等待期是多少天？"
HIDDEN = "机密/并购备忘录"
TITLE = "《重大疾病保险条款（内部版）》"
WORDS = ("重大疾病的等待期是180天，内部口径。", "等待期的内部口径见重大疾病保险条款。", "重大疾病等待期等待期等待期。")
OPEN_TEXTS = ("第五条 重大疾病的等待期为90日。", "第六条 犹豫期为15日。", "第七条 宽限期为60日。")

_OPEN_ALIKE = ("neighbours",)  # it shows nothing of the hidden documents to anybody
HOUR_US = 3_600_000_000
DEMANDS = {
    "grade": Access(3),
    "group": Access(1, groups=frozenset({"并购组"})),
    "barrier": Access(1, barriers=frozenset({"wall-1"})),
    "one barrier of two": Access(1, barriers=frozenset({"wall-1", "wall-2"})),
    "purpose": Access(1, purposes=frozenset({"audit"})),
    "embargo": Access(1, publish_at_us=NOW_US + HOUR_US),
    "expired": Access(1, expires_at_us=NOW_US - HOUR_US),
}
OTHERWISE = ("withdrawn", "other tenant")

Ask = Callable[[World], Awaitable[Any]]


def _search(question: str = QUESTION, **fields: Any) -> Ask:
    async def asked(made: World) -> Any:
        request = pb.SearchRequest(tenant=TENANT, question=question, grade=2, explain=True, limit=50, **fields)
        return await made.stub.Search(request, metadata=READER)

    return asked


async def _ask(made: World, question: str = QUESTION, **fields: Any) -> Any:
    request = pb.AskRequest(tenant=TENANT, question=question, grade=2, **fields)
    parts = [part async for part in made.stub.Ask(request, metadata=READER)]
    for part in parts:
        if part.HasField("end"):
            part.end.ClearField("audit_record_id")
    return parts


def _unary(method: str, request: Any) -> Ask:
    return lambda made: getattr(made.stub, method)(request, metadata=READER)


async def _conversation(made: World) -> Any:
    for question in (QUESTION, f"{HIDDEN}里怎么说？", "那宽限期呢？"):
        await _ask(made, question=question, conversation_id="c")
    conversation = await made.stub.GetConversation(pb.GetConversationRequest(tenant=TENANT, conversation_id="c"), metadata=READER)
    for turn in conversation.turns:
        turn.ClearField("asked_at")
    return conversation


PATHS: dict[str, Ask] = {
    **{f"search {name}": _search(pipeline=value) for name, value in pb.Pipeline.items()},
    "search scope id": _search(scope=pb.Scope(documents=[HIDDEN])),
    "search scope title": _search(scope=pb.Scope(documents=[TITLE])),
    "search scope product": _search(scope=pb.Scope(products=["并购产品"])),
    "search by its name": _search(question=f"{TITLE}的等待期？"),
    "search by its heading": _search(question="内部口径说明里的等待期？"),
    "search its very words": _search(question=WORDS[0]),
    "search as it was known": _search(as_of=pb.AsOf(known_at_sequence=2)),
    "search collapsed": _search(collapse_records=True),
    "search expanded": _search(expand=10),
    "search english": _search(question="What is the waiting period of critical illness?"),
    "ask": _ask,
    "ask by its name": lambda made: _ask(made, question=f"{TITLE}规定的等待期是多少天？"),
    "ask in its scope": lambda made: _ask(made, scope=pb.Scope(documents=[HIDDEN])),
    "conversation": _conversation,
    "passage": _unary("GetPassage", pb.GetPassageRequest(tenant=TENANT, passage_id=f"{HIDDEN}@1#0")),
    "neighbours": _unary("GetPassage", pb.GetPassageRequest(tenant=TENANT, passage_id="条款@1#1", neighbours=10)),
    "clauses": _unary("ListClauses", pb.ListClausesRequest(tenant=TENANT, document="条款", kind=pb.CLAUSE_KIND_HEADING, heading="等待期")),
    "clauses of it": _unary("ListClauses", pb.ListClausesRequest(tenant=TENANT, document=HIDDEN, kind=pb.CLAUSE_KIND_EXCLUSION)),
    "compared with it": _unary("Compare", pb.CompareRequest(tenant=TENANT, left=pb.Side(document="条款"), right=pb.Side(document=HIDDEN))),
    "documents": _unary("ListDocuments", pb.ListDocumentsRequest(tenant=TENANT, page_size=1)),
    "documents after": _unary("ListDocuments", pb.ListDocumentsRequest(tenant=TENANT, page_token="")),
    "document": _unary("GetDocument", pb.GetDocumentRequest(tenant=TENANT, document_id=HIDDEN)),
}  # fmt: skip


async def _answer(made: World, path: str) -> Any:
    """What a caller gets: bytes, or the whole error."""
    try:
        found = await PATHS[path](made)
    except grpc.aio.AioRpcError as error:
        metadata = error.trailing_metadata() or ()
        return error.code(), error.details(), [(key, value) for key, value in metadata if key.startswith("grpc-status")]
    return (
        [each.SerializeToString(deterministic=True) for each in found]
        if isinstance(found, list)
        else found.SerializeToString(deterministic=True)
    )


async def _common(made: World) -> None:
    await made.grant("reader", clearance=3, groups=["理赔组"], barriers=["wall-2"])
    await made.put("条款", *OPEN_TEXTS, title="《重大疾病保险条款》", headings=("第二章 等待期",), product="重疾险")


async def _hidden(made: World, kind: str, tenant: str = TENANT) -> None:
    """Three documents that may not be read, for one reason; each says that it endorses one that may."""
    access = DEMANDS.get(kind, Access(1))
    for number, document in enumerate((HIDDEN, f"{HIDDEN}-2", f"{HIDDEN}-3")):
        title = TITLE if number == 0 else f"{TITLE}{number}"
        said: dict[str, Any] = {"title": title, "product": "并购产品", "tenant": tenant, "base": "条款"}
        await made.put(document, *WORDS, access=access, headings=("内部口径说明",), **said)
        if kind == "withdrawn":
            await made.withdraw(document, tenant)


@pytest.fixture(params=[*DEMANDS, *OTHERWISE])
async def worlds(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[World, World]]:
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(world(tmp_path / name)) for name in ("without", "with")]
        for each, tenant in zip(made, ("bank-z", "bank-y" if request.param == "other tenant" else TENANT), strict=True):
            await _common(each)
            await _hidden(each, request.param, tenant)
        yield made[0], made[1]


async def test_forbidden_and_absent_look_identical(worlds: tuple[World, World]) -> None:
    without, there = worlds
    different = [path for path in PATHS if await _answer(without, path) != await _answer(there, path)]
    assert different == []


async def test_forbidden_and_absent_ask_the_stores_alike(worlds: tuple[World, World]) -> None:
    """What takes longer tells as much."""
    without, there = worlds
    for path in ("passage", "document", "search scope id", "search expanded", "ask in its scope", "ask"):
        counted = []
        for made in worlds:
            made.calls.clear()
            await _answer(made, path)
            counted.append(dict(made.calls))
        assert counted[0] == counted[1], path
    assert without.calls["log"] and there.calls["log"]


async def test_what_may_be_read_is_found_by_the_same_paths(tmp_path: Path) -> None:
    """Else the comparisons above would hold of a service that answers nothing."""
    async with world(tmp_path) as made:
        await _common(made)
        await made.grant("reader", clearance=3, groups=["并购组"], barriers=["wall-1", "wall-2"])
        await _hidden(made, "barrier")
        found = await PATHS["search PIPELINE_FUSED"](made)
        assert {passage.document_id for passage in found.passages} >= {"条款", HIDDEN}
        assert (await PATHS["passage"](made)).passage.text == WORDS[0]
        assert (await PATHS["document"](made)).versions[0].title == TITLE
        listed = (await PATHS["clauses"](made)).clauses
        assert {each.endorsement_document_id for each in listed} == {"", HIDDEN, f"{HIDDEN}-2", f"{HIDDEN}-3"}
        assert [part async for part in _sentences(made)]


async def _sentences(made: World) -> AsyncIterator[str]:
    for part in await _ask(made):
        if part.HasField("sentence"):
            yield part.sentence.text


async def test_a_grant_that_went_holds_for_the_next_request(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await _common(made)
        await made.grant("reader", clearance=3, groups=["并购组"])
        await _hidden(made, "group")
        assert (await PATHS["passage"](made)).passage.text == WORDS[0]
        await made.grant("reader", clearance=3)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await PATHS["passage"](made)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        conversation = await _conversation(made)
        assert "内部口径" not in str(conversation)


@pytest.mark.parametrize("path", PATHS)
async def test_a_right_that_goes_while_it_is_answered_leaves_nothing(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes when everything was found and recorded: the whole response is that of a caller who never had it."""
    async with world(tmp_path) as made:
        await _common(made)
        await _hidden(made, "group")
        recorded, listed, versions = Evidence.looked, LedgerLibrary.documents, LedgerLibrary.versions

        async def then_revoked(real: Any, *arguments: Any) -> Any:
            found = await real(*arguments)
            await made.grant("reader", clearance=3, groups=["理赔组"], barriers=["wall-2"])
            return found

        await _common_rights(made, "并购组")
        allowed = await _answer(made, path)
        await _common_rights(made, "并购组")
        await made.stub.ResetConversation(pb.ResetConversationRequest(tenant=TENANT, conversation_id="c", forget=True), metadata=READER)
        with monkeypatch.context() as patched:
            patched.setattr(Evidence, "looked", lambda *arguments: then_revoked(recorded, *arguments))
            if path.startswith("document"):
                patched.setattr(LedgerLibrary, "documents", lambda *arguments: then_revoked(listed, *arguments))
                patched.setattr(LedgerLibrary, "versions", lambda *arguments: then_revoked(versions, *arguments))
            answered = await _answer(made, path)
        await made.stub.ResetConversation(pb.ResetConversationRequest(tenant=TENANT, conversation_id="c", forget=True), metadata=READER)
        assert answered == await _answer(made, path)
        assert path in _OPEN_ALIKE or allowed != answered, "else it shows nothing of what went"


async def _common_rights(made: World, group: str) -> None:
    await made.grant("reader", clearance=3, groups=["理赔组", group], barriers=["wall-2"])


async def test_the_log_knows_what_callers_do_not(tmp_path: Path) -> None:
    """Direct references to what is there and may not be read are named; to what is not there, they are not."""
    async with world(tmp_path) as made:
        await _common(made)
        await _hidden(made, "grade")
        made.records.clear()
        await _answer(made, "passage")
        (known,) = made.records
        with pytest.raises(grpc.aio.AioRpcError):
            await made.stub.GetPassage(pb.GetPassageRequest(tenant=TENANT, passage_id="没有这份文件@1#0"), metadata=READER)
        (_, unknown) = made.records
    assert str(known).count("readable") != str(unknown).count("readable") or known.retrieval != unknown.retrieval
    assert HIDDEN not in str(known)
    assert len(known.retrieval.passages) == 1 and not unknown.retrieval.passages


HOLES = {
    "a hit that is not checked": ("rag.steps.retrieve.confirmed", "search PIPELINE_DENSE"),
    "rights that nobody asks for": ("rag.domain.access.Reader.may_read", "passage"),
}


@pytest.mark.parametrize("hole", HOLES)
async def test_a_hole_would_be_seen(hole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, path = HOLES[hole]
    async with world(tmp_path) as made:
        await _common(made)
        await _hidden(made, "grade")
        closed = await _answer(made, path)
        monkeypatch.setattr(place, lambda *_: True)
        assert await _answer(made, path) != closed
