"""Documents made of records."""

from __future__ import annotations

import json

import pytest
from meshkit.errors import InvalidDocument
from rag.domain.records import drafts


def lines(*records: object) -> bytes:
    return b"\n".join(json.dumps(record, ensure_ascii=False).encode() for record in records)


def test_each_record_is_a_passage_whatever_stands_beside_its_text() -> None:
    found = list(
        drafts(
            lines({"_id": "甲", "title": "条款", "text": "5.3 宽限期为60日。", "metadata": {"answer": "60"}}, {"_id": "b", "text": "two"}),
            100,
        )
    )
    assert [(draft.record_id, draft.text, draft.heading_path, draft.clause) for draft in found] == [
        ("甲", "5.3 宽限期为60日。", ("条款",), "5.3"),
        ("b", "two", (), ""),
    ]


def test_equal_texts_under_two_ids_both_stay() -> None:
    assert [draft.record_id for draft in drafts(lines({"_id": "1", "text": "same"}, {"_id": "2", "text": "same"}), 100)] == ["1", "2"]


def test_a_long_table_is_cut_between_rows_and_keeps_its_header() -> None:
    text = "| | Fiscal |\n| 2019 | 2018 | 2017\n" + "\n".join(
        f"Segment number {place} | $ {place},686 | 6,092 | 5,228" for place in range(40)
    )
    found = list(drafts(lines({"_id": "t", "text": text}), 120))
    assert len(found) > 2 and {draft.record_id for draft in found} == {"t"}
    assert "".join("\n".join(draft.text for draft in found).split()) == "".join(text.split())
    assert all("Fiscal" in draft.table_header for draft in found[1:])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"_id": "a", "text": "x"}\n{"_id": "a", "text": "y"}', "line 2: its _id stands there twice"),
        (b'{"_id": 5, "text": "x"}', "line 1: _id, title and text are texts"),
        (b'{"text": "x"}', "line 1: _id has 1 to 512"),
        (b'["a"]', "line 1 is no object"),
        (b'{"_id": "a", "text": "x"}\n{', "line 2: is not JSON"),
        (b'{"_id": "a", "text": "\xff"}', "line 1: is not UTF-8"),
    ],
)
def test_what_is_wrong_names_its_line(content: bytes, says: str) -> None:
    with pytest.raises(InvalidDocument, match=says):
        list(drafts(content, 100))
