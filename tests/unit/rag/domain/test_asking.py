"""Which documents a question named: a title is the same however it is written, and another title is another."""

import pytest
from rag.domain.asking import scope_named
from rag.domain.retrieval import Found, Scope

from tests.unit.rag.domain.answering.passages import passage


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("安心守护终身寿险条款", "《安心守护终身寿险条款》"),
        ("安心守护终身寿险条款", "安心守護終身壽險條款"),
        ("安心守护终身寿险条款", "安心守护 终身寿险_条款"),
        ("安心守护终身寿险（2025版）", "安心守护终身寿险(２０２５版)"),
        ("Anxin Plan A", "ＡＮＸＩＮ plan－a"),
        ("Société Générale 2024", "societe_generale 2024"),
    ],
)
def test_a_title_is_found_however_it_is_written(title: str, named: str) -> None:
    one = passage("文", title=title)
    found = Found([one], 1, Scope(documents=(named,)))
    assert scope_named(found) == Scope(documents=(one.id.document_id,))


@pytest.mark.parametrize(("title", "named"), [("安心守护终身寿险", "安心守护终身寿险B款"), ("Plan A", "Plan B"), ("年报2024", "年报2025")])
def test_another_title_is_no_scope(title: str, named: str) -> None:
    assert not scope_named(Found([passage("文", title=title)], 1, Scope(documents=(named,))))
