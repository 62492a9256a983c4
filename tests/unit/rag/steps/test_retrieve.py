"""The one door: whatever an index says, only what the ledger confirms is shown; a leg that is away is said."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from meshkit.errors import Unavailable
from numpy.typing import NDArray
from rag import ports
from rag.domain.access import Access, Reader
from rag.domain.candidates import Candidate, collapsed
from rag.domain.document import FOREVER, AsOf, Chunk, NewChunk, State, Submission, Version
from rag.domain.fusion import Ranked
from rag.domain.ranking import Filter, Hit
from rag.domain.retrieval import Found, Pipeline, Query, Scope
from rag.domain.terms import terms
from rag.domain.tuning import Language, Tuning
from rag.steps.resolve import Resolve
from rag.steps.retrieve import Legs, Retrieve

NOW = 1_700_000_000_000_000
READER = Reader("bank-a", "anna", "advice", clearance=2)
TEXTS = {
    1: ("保险期间", "本合同的等待期为九十日。"),
    2: ("保险期间", "等待期内发生保险事故，我们不承担责任。"),
    3: ("平安福终身寿险条款", "等待期为三十日。"),
    4: ("3M_2018_10K", "Capital expenditure was 1,577 million."),
    5: ("3M_2022_10K", "Capital expenditure was 1,749 million."),
    6: ("秘密", "等待期 等待期 等待期 capital expenditure"),
}


def version_of(version_id: int, **changes: object) -> Version:
    submission = Submission(
        "bank-a", f"doc-{version_id}", 1, TEXTS[version_id][0], "text/plain", "b", bytes(32), Access(1), bytes(32), "curator"
    )
    return Version(version_id, replace(submission, **changes), State.VISIBLE, from_seq=version_id)  # type: ignore[arg-type]


@dataclass
class Library:
    """A ledger of one passage a version; passage n is 10 n. Access id 1 is readable, 2 is not."""

    versions_held: dict[int, Version] = field(default_factory=lambda: {each: version_of(each) for each in TEXTS})
    access: dict[int, int] = field(default_factory=lambda: {each: 2 if each == 6 else 1 for each in TEXTS})
    clauses: dict[int, str] = field(default_factory=dict)
    records: dict[int, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    async def sequence(self) -> int:
        return 100

    async def readable(self, reader: Reader, now_us: int) -> dict[int, Access]:
        return {1: Access(1)} if reader == READER else {}

    async def chunks(self, tenant: str, chunk_ids: Sequence[int]) -> dict[int, tuple[Chunk, Version]]:
        self.calls.append("chunks")
        return {each: (self.chunk(each // 10), self.versions_held[each // 10]) for each in chunk_ids if each // 10 in self.versions_held}

    def chunk(self, version_id: int) -> Chunk:
        passage = NewChunk(
            0, TEXTS[version_id][1], Access(1), clause=self.clauses.get(version_id, ""), record_id=self.records.get(version_id, "")
        )
        return Chunk(version_id * 10, version_id, self.access[version_id], passage)

    async def documents(self, tenant: str, access_ids: Collection[int], after: str, limit: int) -> list[Version]:
        held = sorted(self.versions_held.values(), key=lambda each: each.submission.document_id)
        return [each for each in held if each.submission.document_id > after and self.access[each.version_id] in access_ids][:limit]

    async def versions(self, tenant: str, document_id: str, access_ids: Collection[int]) -> list[Version]:
        return [each for each in self.versions_held.values() if each.submission.document_id == document_id]

    async def indexed(self, version_id: int) -> tuple[Version, list[Chunk]]:
        self.calls.append(f"indexed {version_id}")
        return self.versions_held[version_id], [self.chunk(version_id)]

    async def around(self, tenant: str, chunk: Chunk, before: int, after: int) -> list[Chunk]:
        """Keeps to nothing: the neighbour, one of another access id, one of another version."""
        self.calls.append("around")
        near = replace(chunk, chunk_id=chunk.chunk_id + 1, passage=replace(chunk.passage, ordinal=1))
        return [near, replace(near, chunk_id=901, access_id=2), replace(near, chunk_id=902, version_id=6), self.chunk(6)]

    async def names(self, tenant: str, access_ids: Collection[int]) -> list[tuple[str, int, int]]:
        self.calls.append("names")
        return [(each.submission.title, each.version_id, self.access[each.version_id]) for each in self.versions_held.values()]


class Lexical:
    """Counts shared terms, over everything that it was given, filtered by nothing but versions: a leg that forgot its filter."""

    async def search(self, wanted: Mapping[str, float], where: Filter, limit: int) -> list[Hit]:
        found = [
            Hit(each * 10, float(sum(weight for term, weight in wanted.items() if term in terms(text))))
            for each, (_, text) in TEXTS.items()
            if where.versions is None or each in where.versions
        ]
        return sorted((hit for hit in found if hit.score), key=lambda hit: (-hit.score, hit.chunk_id))[:limit]


class Vectors:
    """Says one order."""

    def __init__(self, order: Sequence[int], away: bool = False) -> None:
        self.order, self.away = order, away

    async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
        if self.away:
            raise Unavailable("away", reason="VECTORS_UNAVAILABLE")
        wanted = [each for each in self.order if where.versions is None or each in where.versions]
        return [Hit(each * 10, 1.0 - place / 10) for place, each in enumerate(wanted)]


class Encoder:
    identity, dimension = "encoder/1", 2

    def __init__(self, hangs: bool = False, away: bool = False) -> None:
        self.hangs, self.away = hangs, away

    async def encode(self, texts: Sequence[str], kind: ports.Kind) -> NDArray[np.float32]:
        assert kind is ports.Kind.QUERY
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise Unavailable("away", reason="ENCODER_UNAVAILABLE")
        return np.zeros((len(texts), 2), np.float32)


class Tunings:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    async def current(self, tenant: str) -> Tuning:
        return Tuning(1, {Language.HAN: self.weight, Language.OTHER: self.weight}, "encoder/1")


class Reversed:
    async def rerank(self, question: str, passages: Sequence[str]) -> Sequence[int]:
        return list(reversed(range(len(passages))))


def ask(question: str, library: Library | None = None, **changes: object) -> Found:
    """Ask with legs and query as told."""
    library = library or Library()
    legs = Legs(Lexical(), changes.pop("vectors", None), changes.pop("encoder", None), encoder_s=0.05)  # type: ignore[arg-type]
    tunings, reranker = Tunings(changes.pop("weight", 0.5)), changes.pop("reranker", None)  # type: ignore[arg-type]
    query = replace(Query(READER, question, AsOf(NOW, FOREVER), NOW), **changes)  # type: ignore[arg-type]
    return asyncio.run(Retrieve(library, legs, Resolve(library), tunings, reranker)(query))  # type: ignore[arg-type]


def shown(found: Found) -> list[int]:
    return [each.version.version_id for each in found.passages]


def test_a_passage_that_an_index_should_not_have_returned_is_not_shown() -> None:
    """The lexical leg answers with the forbidden passage, and on top: nobody sees it, on any pipeline."""
    dense = {"vectors": Vectors([6, 3, 1]), "encoder": Encoder()}
    for pipeline in Pipeline:
        found = ask("等待期", pipeline=pipeline, **dense)
        assert shown(found) and 6 not in shown(found)
    assert 6 not in shown(ask("等待期", scope=Scope(documents=("doc-6",)), **dense))
    assert shown(ask("等待期", reader=replace(READER, principal="nobody"))) == []


@pytest.mark.parametrize(
    "changes",
    [{"tenant": "bank-b"}, {"valid_to_us": NOW}, {"valid_from_us": NOW + 1}],
)
def test_the_ledgers_rows_are_checked_against_tenant_and_times(changes: dict[str, object]) -> None:
    """An index that lags behind has a row that no longer holds."""
    library = Library()
    assert shown(ask("等待期", library))[:3] == [1, 2, 3]
    library.versions_held[2] = version_of(2, **changes)
    assert shown(ask("等待期", library)) == [1, 3]


def test_superseded_versions_are_found_at_their_time_alone_and_marked() -> None:
    """Two times: what the system knew."""
    library = Library()
    library.versions_held[2] = replace(library.versions_held[2], to_seq=50)
    assert 2 not in shown(ask("等待期", library))
    then = ask("等待期", library, as_of=AsOf(NOW, 49))
    assert {each.version.version_id: each.superseded for each in then.passages} == {1: False, 2: True, 3: False}
    assert [each.version.version_id for each in ask("等待期", library, as_of=AsOf(NOW, 2)).passages] == [1, 2]


def test_the_dense_leg_is_away() -> None:
    """The lexical leg stands alone, and the answer says so, whether the encoder hangs, refuses, or Milvus does."""
    alone = shown(ask("等待期"))
    for changes, reason in (
        ({"encoder": Encoder(hangs=True), "vectors": Vectors([3])}, "ENCODER_UNAVAILABLE"),
        ({"encoder": Encoder(away=True), "vectors": Vectors([3])}, "ENCODER_UNAVAILABLE"),
        ({"encoder": Encoder(), "vectors": Vectors([3], away=True)}, "VECTORS_UNAVAILABLE"),
    ):
        found = ask("等待期", **changes)
        assert shown(found) == alone and list(found.degradations) == [reason]
    assert not ask("等待期").degradations  # none is configured: nothing is missing


def test_the_tenants_weight_mixes_the_legs() -> None:
    """Lexical alone at 0, dense alone at 1."""
    dense = {"vectors": Vectors([3, 2, 1]), "encoder": Encoder()}
    assert shown(ask("等待期", weight=0.0, **dense))[0] == 1
    assert shown(ask("等待期", weight=1.0, **dense)) == [3, 2, 1]
    assert shown(ask("等待期", pipeline=Pipeline.DENSE, weight=0.0, **dense)) == [3, 2, 1]


def test_a_named_document_comes_first_and_others_follow() -> None:
    """A soft boost; the unscoped pipeline has none of it."""
    found = ask("平安福终身寿险的等待期", explain=True)
    assert shown(found)[0] == 3 and len(shown(found)) == 3 and found.resolved == Scope(documents=("平安福终身寿险条款",))
    assert found.passages[0].explained is not None and found.passages[0].explained.scope == ("平安福终身寿险条款",)
    assert shown(ask("平安福终身寿险的等待期", pipeline=Pipeline.UNSCOPED))[0] == 1
    assert shown(ask("FY2022 capital expenditure of 3M")) == [5, 4]
    assert shown(ask("FY2018 capital expenditure of 3M")) == [4, 5]


def test_names_that_may_not_be_read_resolve_to_nothing() -> None:
    """The catalogue holds readable names alone."""
    assert ask("秘密的等待期").resolved == Scope()
    assert shown(ask("秘密的等待期")) == shown(ask("等待期"))


def test_a_callers_scope_filters() -> None:
    """By id, by exact title however it is spaced, by product; one that names nothing finds nothing."""
    assert shown(ask("等待期", scope=Scope(documents=("doc-2",)))) == [2]
    assert shown(ask("等待期", scope=Scope(documents=("《平安福 终身寿险条款》",)))) == [3]
    assert shown(ask("等待期", scope=Scope(documents=("doc-99",)))) == []
    library = Library()
    library.versions_held[1] = version_of(1, product="e生保")
    assert shown(ask("等待期", library, scope=Scope(products=("E生保",)))) == [1]


def test_a_named_clause_is_lifted() -> None:
    """第三条 in the question, 第3条 as printed."""
    library = Library(clauses={2: "第3条"})
    assert shown(ask("第三条的等待期", library))[0] == 2 and shown(ask("等待期", library))[0] == 1


def test_one_passage_for_each_record() -> None:
    """The best one; without records all stay, and a record of another version is another record."""
    found = [
        Candidate(Ranked(id_, 1.0 / id_), Chunk(id_, version, 1, NewChunk(id_, "t", Access(1), record_id=record)), version_of(1))
        for id_, version, record in ((1, 1, "a"), (2, 1, "b"), (3, 1, "a"), (4, 2, "a"), (5, 2, ""), (6, 2, ""))
    ]
    assert [each.chunk.chunk_id for each in collapsed(found)] == [1, 2, 4, 5, 6]
    library = Library(records={1: "r", 2: "r"})
    assert shown(ask("等待期", library, collapse_records=True)) == shown(ask("等待期", library))


def test_a_reranker_orders_what_was_found() -> None:
    """A plug-in: it reorders, and adds nothing."""
    assert shown(ask("等待期", reranker=Reversed())) == list(reversed(shown(ask("等待期"))))
    assert shown(ask("等待期", reranker=Reversed(), pipeline=Pipeline.LEXICAL)) == shown(ask("等待期"))


def test_the_catalogue_is_kept_until_the_ledger_moves() -> None:
    """One reading of names for two questions."""
    library = Library()
    legs = Legs(Lexical())  # type: ignore[arg-type]
    retrieve = Retrieve(library, legs, Resolve(library), Tunings(0.5))  # type: ignore[arg-type]
    query = Query(READER, "平安福终身寿险的等待期", AsOf(NOW, 100), NOW)

    async def twice() -> None:
        await retrieve(query)
        await retrieve(query)

    asyncio.run(twice())
    assert library.calls.count("names") == 1


def test_the_limit_holds() -> None:
    """At most so many."""
    assert len(ask("等待期", limit=2).passages) == 2


def test_the_ledger_is_asked_for_as_much_as_is_shown_and_on_where_it_forbids() -> None:
    """Opening sealed passages costs most of a check; what a name or a second look may lift is all looked at."""
    library, dense = Library(), {"encoder": Encoder(), "pipeline": Pipeline.DENSE, "limit": 1}
    assert shown(ask("等待期", library, vectors=Vectors([1, 2, 3, 4, 5]), **dense)) == [1]
    assert library.calls.count("chunks") == 1
    library = Library(access={each: 2 if each in (6, 3) else 1 for each in TEXTS})
    assert shown(ask("等待期", library, vectors=Vectors([6, 3, 1, 2]), **dense)) == [1] and library.calls.count("chunks") == 2
    assert shown(ask("等待期", Library(), vectors=Vectors([1, 2, 3, 4, 5]), reranker=Reversed(), encoder=Encoder(), limit=1)) == [5]


def test_what_stands_beside_the_best_is_added_after_what_was_found_and_said_why() -> None:
    """Neighbours of the same access id alone, whatever a ledger says; readable endorsements that hold at the times asked for."""
    library = Library(clauses={1: "第五条"})
    library.versions_held[3] = version_of(3, base="doc-1")
    library.versions_held[4] = replace(version_of(4, base="doc-1"), to_seq=50)
    library.versions_held[6] = version_of(6, base="doc-1")
    assert [each.added for each in ask("等待期", library).passages] == [False] * 3, "nothing is added that nobody asks for"
    found = ask("等待期", library, expand=1, explain=True, limit=2)
    assert [(each.chunk.chunk_id, each.added) for each in found.passages] == [(10, False), (20, False), (11, True), (30, True)]
    assert [tuple(each.explained.expanded) for each in found.passages if each.explained] == [(), (), ("NEIGHBOUR",), ("ENDORSEMENT",)]
    assert "indexed 6" not in library.calls and library.calls.count("around") == 1
    scoped = ask("等待期", library, expand=1, scope=Scope(documents=("doc-1",)))
    assert [each.chunk.chunk_id for each in scoped.passages] == [10, 11], "a scope only narrows"
