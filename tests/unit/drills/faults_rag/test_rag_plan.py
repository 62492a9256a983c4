"""Documents of a fault campaign: what is planted is unique, and what the service makes of a document is what is expected."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
from documents.limits import Limits
from documents.read import read
from drills.corpus.poison import POISON
from drills.faults_rag.plan import Demand, Handed, Kind, Way, order, planned, planted, words_in
from drills.faults_rag.shelf import POISON_A_ROUND, poisoned
from rag.adapters.file_grades import file_grades
from rag.domain import chunking
from rag.domain.access import HIGHEST_INDEXED
from rag.domain.citing import PassageId
from rag.domain.terms import query_terms, terms

PLAN = planned(5, 0, 150)


def test_a_seed_repeats_and_rounds_differ() -> None:
    assert planned(5, 0, 20) == planned(5, 0, 20)
    assert not planned(5, 0, 20).handed.keys() & planned(5, 1, 20).handed.keys()
    assert order(5, 0) == order(5, 0) != order(5, 1) and sorted(order(5, 0)) == sorted(Kind)


def test_every_word_of_a_version_is_its_own() -> None:
    counts = Counter(word for each in PLAN.handed.values() for word in words_in(each.content))
    assert counts and set(counts.values()) == {1}
    for each in PLAN.handed.values():
        assert each.question.encode() in words_in(each.content) - PLAN.secret
        assert len(words_in(each.description.SerializeToString())) == 2, "title and id"


def test_a_word_is_one_term_and_is_seen_in_an_address() -> None:
    word = planted("any", 1)
    assert terms(f"利率 {word}。第三条") == [*terms("利率"), word, *terms("。第三条")]
    assert list(query_terms(word)) == [word]
    assert words_in(PassageId(f"文档 1/{word}", 2, 3).url.encode()) == {word.encode()}
    assert words_in(f"x{word}yz".encode()) == {word.encode()}


def test_a_round_has_everything() -> None:
    handed = list(PLAN.handed.values())
    assert {each.demand for each in handed} == set(Demand)
    assert {each.way for each in handed} == set(Way)
    assert PLAN.secret and PLAN.secret < PLAN.forbidden
    assert 5 < len(PLAN.withdrawn) < 60
    assert len(PLAN.steps) > len(handed) + len(PLAN.withdrawn), "some twice"
    late = [place for place in PLAN.handed if place[2] > 1 and _at(place) < _at((*place[:2], 1))]
    assert late, "a newer version comes before an older one"
    early = [gone for gone in PLAN.withdrawn if PLAN.steps.index(_withdrawal(gone)) < _at((*gone, 1))]
    assert early, "a document is withdrawn before it comes"


def _at(place: tuple[str, str, int]) -> int:
    return next(at for at, step in enumerate(PLAN.steps) if isinstance(step, Handed) and step.place == place)


def _withdrawal(document: tuple[str, str]) -> object:
    return next(step for step in PLAN.steps if not isinstance(step, Handed) and (step.tenant, step.document_id) == document)


def test_the_clerk_may_see_no_word_of_what_is_not_for_the_clerk() -> None:
    for each in PLAN.handed.values():
        own = words_in(each.content + each.description.SerializeToString()) - PLAN.secret
        assert bool(own & PLAN.forbidden) is not each.demand.is_the_clerks and (each.demand.is_the_clerks or own <= PLAN.forbidden)


@pytest.mark.parametrize("ends", [{("VISIBLE", "")}, {("PARTIAL", "SECRETS_WITHHELD")}])
def test_what_is_read_is_graded_as_expected(ends: set[tuple[str, str]]) -> None:
    grades = file_grades(Path(str(files("rag") / "grades.yaml")))
    tried = [each for each in PLAN.handed.values() if each.ends == ends]
    for each in tried:
        parsed = read(memoryview(bytearray(each.content)), each.description.file_name, each.description.media_type, Limits(), None)
        drafts = list(chunking.drafts(parsed, 400))
        declared = each.description.access.grade
        found = [grades.of("\n".join((*draft.heading_path, draft.table_header, draft.text)), declared) for draft in drafts]
        kept = [draft for draft, grade in zip(drafts, found, strict=True) if grade <= HIGHEST_INDEXED]
        assert (len(kept) < len(drafts)) is (ends != {("VISIBLE", "")})
        assert {grade for grade in found if grade <= HIGHEST_INDEXED} == {declared}, "a text is read as more than it declares"
        shown = words_in("\n".join(("".join(draft.heading_path) + draft.text) for draft in kept).encode())
        assert shown == {each.question.encode()}
    assert len(tried) > 5


def test_three_rounds_bring_all_poison() -> None:
    names = {each.description.file_name for round_ in range(3) for each in poisoned(1, round_)}
    assert names == {each.name for each in POISON} and len(POISON) == POISON_A_ROUND * 3
