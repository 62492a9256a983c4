"""How a fault campaign judges: ends of versions, what was told of them, and what a reader was shown."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, cast

import pytest
from drills.faults_rag.doors import Door
from drills.faults_rag.intake import Intake
from drills.faults_rag.plan import Demand, Handed, Plan, Withdrawal, planned, words_in
from drills.faults_rag.readers import Readers
from drills.faults_rag.verdict import Stands, Tally, contradictions, counted, fits, is_to_be_found, unrecorded
from finmesh.rag.v1 import document_pb2 as documents
from finmesh.rag.v1 import events_pb2 as events
from finmesh.rag.v1 import rag_service_pb2 as rag
from meshkit.errors import InvalidArgument, NotFound, Unavailable

PLAN = planned(5, 0, 150)
VISIBLE, WITHDRAWN = Stands("VISIBLE", ""), Stands("WITHDRAWN", "")


def of(demand: Demand, versions: int = 1, *, withdrawn: bool = False) -> Handed:
    """The first version of a document of the plan."""
    for place, handed in PLAN.handed.items():
        count = sum(other[:2] == place[:2] for other in PLAN.handed)
        if handed.demand is demand and (place[:2] in PLAN.withdrawn) is withdrawn and count == versions and ("VISIBLE", "") in handed.ends:
            return PLAN.handed[*place[:2], 1]
    raise LookupError


def test_an_end_fits_what_a_version_is_and_what_was_done_to_it() -> None:
    single, gone, many = of(Demand.OPEN), of(Demand.STAFF, withdrawn=True), of(Demand.OPEN, 3)
    assert fits(single, VISIBLE, PLAN) and not fits(single, WITHDRAWN, PLAN)
    assert not fits(single, Stands("FAILED", "ATTEMPTS_EXHAUSTED"), PLAN) and not fits(single, Stands("ENROLLED", ""), PLAN)
    assert fits(gone, WITHDRAWN, PLAN) and not fits(gone, VISIBLE, PLAN)
    assert not fits(single, Stands("VISIBLE", "", never=True), PLAN), "nothing newer could have replaced it"
    assert fits(many, Stands("VISIBLE", "", never=True), PLAN)


def test_what_nobody_may_read_is_found_by_nobody() -> None:
    assert is_to_be_found(of(Demand.GROUP), VISIBLE)
    assert not is_to_be_found(of(Demand.GROUP), WITHDRAWN)
    assert not is_to_be_found(of(Demand.OPEN, 3), Stands("VISIBLE", "", never=True))


def told(sequence: int, version: int, state: str, document: str = "d") -> events.DocumentStateChanged:
    value = documents.VersionState.Value(f"VERSION_STATE_{state}")
    return events.DocumentStateChanged(tenant="bank-a", document_id=document, source_version=version, sequence=sequence, state=value)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ([told(1, 1, "VISIBLE"), told(2, 2, "VISIBLE"), told(3, 1, "WITHDRAWN")], 0),
        ([told(1, 1, "VISIBLE"), told(2, 2, "VISIBLE"), told(1, 1, "WITHDRAWN"), told(2, 2, "VISIBLE"), told(3, 1, "WITHDRAWN")], 0),
        ([told(2, 2, "VISIBLE"), told(1, 1, "VISIBLE"), told(3, 1, "WITHDRAWN")], 1),
        ([told(1, 1, "VISIBLE"), told(2, 2, "VISIBLE")], 1),
        ([told(1, 1, "VISIBLE"), told(3, 1, "WITHDRAWN")], 1),
    ],
    ids=["in order", "repeated", "out of order", "not the last", "nothing of one"],
)
def test_what_was_told_is_compared_with_what_stands(said: list[events.DocumentStateChanged], count: int) -> None:
    stood = {("bank-a", "d", 1): WITHDRAWN, ("bank-a", "d", 2): VISIBLE, ("bank-a", "d", 3): Stands("VISIBLE", "", never=True)}
    assert len(contradictions(said, stood)) == count


def test_the_door_says_whether_a_version_was_never_seen() -> None:
    message = documents.DocumentVersion(state=documents.VERSION_STATE_VISIBLE, from_sequence=7, to_sequence=7)
    assert Stands.of(message) == Stands("VISIBLE", "", never=True)
    message.to_sequence = 0
    assert Stands.of(message) == VISIBLE
    assert counted([VISIBLE, Stands("FAILED", "EMPTY"), VISIBLE]) == {"VISIBLE": 2, "FAILED EMPTY": 1}


def test_what_can_be_found_has_a_record() -> None:
    handed, gone = of(Demand.OPEN), of(Demand.STAFF, withdrawn=True)
    published = {(handed.tenant, sha256(handed.content).digest(), 1)}
    stood = {handed.place: VISIBLE, gone.place: WITHDRAWN}
    assert unrecorded(PLAN.handed, stood, published) == []
    assert len(unrecorded(PLAN.handed, stood, set())) == 1
    assert unrecorded(PLAN.handed, {handed.place: Stands("VISIBLE", "", never=True)}, set()) == []


class Leaky:
    """A door that says what it was given."""

    def __init__(self, said: Any) -> None:
        self._said = said

    async def call(self, name: str, person: object, request: object) -> Any:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said

    async def ask(self, person: object, request: object) -> AsyncIterator[rag.AskResponse]:
        yield self._said


class Held:
    """What an intake knows of withdrawals."""

    def __init__(self, hidden_s: dict[tuple[str, str], tuple[int, float]]) -> None:
        self.hidden_s = hidden_s


async def shown(said: Any, name: str = "Search", request: Any = None, hidden: dict[Any, Any] | None = None, plan: Plan = PLAN) -> Readers:
    readers = Readers(cast(Door, Leaky(said)), plan, cast(Intake, Held(hidden or {})), "1")
    await readers.once(name, request or rag.SearchRequest(question="x"))
    return readers


async def test_a_reader_sees_a_leak_in_text_title_id_and_words_of_an_error() -> None:
    forbidden, readable = of(Demand.BARRIER), of(Demand.OPEN)
    word, title = forbidden.question, forbidden.description.title
    for passage in (documents.Passage(text=word), documents.Passage(title=title), documents.Passage(url=f"finmesh://knowledge/x%2F{word}")):
        assert len((await shown(rag.SearchResponse(passages=[passage]))).shown.leaks) == 1
    assert len((await shown(NotFound(f"no {title}"))).shown.leaks) == 1
    assert len((await shown(rag.AskResponse(sentence=rag.Sentence(text=word)), "Ask", rag.AskRequest())).shown.leaks) == 1
    assert not (await shown(rag.SearchResponse(passages=[documents.Passage(text=readable.question)]))).shown.leaks


async def test_what_a_reader_said_themselves_is_no_leak() -> None:
    title = of(Demand.BARRIER).description.title
    scope = rag.Scope(documents=[title])
    echoed = rag.AskResponse(retrieved=rag.Retrieved(scope=scope))
    assert not (await shown(echoed, "Ask", rag.AskRequest(scope=scope))).shown.leaks
    assert not (await shown(NotFound(f"no {title}"), "GetDocument", rag.GetDocumentRequest(document_id=title))).shown.leaks
    echoed.retrieved.passages.add(title=title)
    assert (await shown(echoed, "Ask", rag.AskRequest(scope=scope))).shown.leaks


async def test_what_was_withdrawn_may_be_shown_no_more() -> None:
    handed = of(Demand.OPEN)
    said = rag.SearchResponse(passages=[documents.Passage(text=handed.question)])
    document = handed.place[:2]
    assert (await shown(said, hidden={document: (1, time.monotonic() - 1)})).shown.leaks
    assert not (await shown(said, hidden={document: (1, time.monotonic() + 60)})).shown.leaks, "it was asked before"
    assert not (await shown(said, hidden={document: (0, time.monotonic() - 1)})).shown.leaks, "another version was"


async def test_being_away_is_counted_and_any_other_error_is_a_finding() -> None:
    readers = await shown(Unavailable("down", reason="LEDGER_DOWN"))
    assert readers.shown.away == {"LEDGER_DOWN": 1} and not readers.shown.findings
    assert (await shown(InvalidArgument("no"))).shown.findings
    assert not (await shown(NotFound("no"))).shown.findings


def test_rounds_add_up_and_one_fault_is_enough() -> None:
    tally = Tally()
    assert not tally.held, "nothing was done"
    tally.add(Tally(rounds=1, documents=3, kills={"kafka": 1}, ends={"VISIBLE": 3}))
    tally.add(Tally(rounds=1, documents=4, kills={"kafka": 1, "milvus": 1}))
    assert tally.held and tally.as_json()["kills"] == 3 and tally.as_json()["rebuilt_equal"] is True
    for name in ("lost", "leaked", "stuck", "unequal", "contradicted", "unaudited"):
        faulty = Tally(**cast(dict[str, Any], tally.as_state()))
        setattr(faulty, name, 1)
        assert not faulty.held, name
    assert isinstance(PLAN.steps, tuple) and any(isinstance(step, Withdrawal) for step in PLAN.steps) and words_in(b"") == frozenset()
