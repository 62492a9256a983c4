"""Ids of passages: any Unicode before the last ``@`` and ``#``; what is no id looks like a passage that is not there."""

from __future__ import annotations

import pytest
from meshkit.errors import NotFound
from rag.domain.citing import PassageId, passage_id

IDS = ["terms", "安心医疗 2024@3#1", "a/b?c=d#9@1", "条款%40", " ", "a@1#2", "é" * 200]


@pytest.mark.parametrize("document", IDS)
def test_an_id_and_its_address_are_read_back(document: str) -> None:
    made = PassageId(document, 12, 0)
    assert passage_id(str(made)) == made
    assert passage_id(made.url) == made
    assert made.url.startswith("finmesh://knowledge/") and made.url.isascii() and " " not in made.url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@1",
        "a@0#1",
        "a@01#1",
        "a@1#01",
        "a@1#-1",
        "@1#1",
        "a@1#1 ",
        "a@1#９",
        "x" * 201 + "@1#1",
        "https://b/a@1#1x",
        "a@" + "9" * 20 + "#1",
    ],
)
def test_what_is_no_id_is_no_passage(text: str) -> None:
    with pytest.raises(NotFound) as caught:
        passage_id(text)
    assert caught.value.reason == "PASSAGE_NOT_FOUND"
