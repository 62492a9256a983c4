"""Passages: structure first, then size."""

from __future__ import annotations

from documents.parsed import Box, Heading, Paragraph, Parsed, Table
from hypothesis import given, settings
from hypothesis import strategies as st
from rag.domain.chunking import Draft, drafts, pieces, split
from rag.domain.clauses import item, number


def parsed(*blocks: Heading | Paragraph | Table) -> Parsed:
    return Parsed("", "text/plain", 0, blocks)


def passages(document: Parsed, most: int) -> list[Draft]:
    return list(drafts(document, most))


def test_a_clause_is_a_passage_with_its_items_and_its_headings() -> None:
    found = passages(
        parsed(
            Heading(1, "第三章 责任免除"),
            Paragraph("第八条 因下列情形之一导致被保险人身故的，我们不承担给付保险金的责任："),
            Paragraph("（一）投保人对被保险人的故意杀害；"),
            Paragraph("（二）被保险人酒后驾驶。"),
            Paragraph("第九条 等待期为90日。"),
            Heading(1, "第四章 保险金的申请"),
            Paragraph("第十条 受益人应当提供下列资料。"),
        ),
        240,
    )
    assert [draft.clause for draft in found] == ["第八条", "第九条", "第十条"]
    assert "（二）被保险人酒后驾驶。" in found[0].text
    assert [draft.heading_path for draft in found] == [("第三章 责任免除",), ("第三章 责任免除",), ("第四章 保险金的申请",)]


def test_headings_nest_by_level() -> None:
    blocks = (Heading(1, "A"), Heading(2, "B"), Paragraph("one"), Heading(2, "C"), Paragraph("two"), Heading(1, "D"), Paragraph("three"))
    found = passages(parsed(*blocks), 100)
    assert [draft.heading_path for draft in found] == [("A", "B"), ("A", "C"), ("D",)]


def test_a_heading_that_is_a_clause_can_be_found_itself() -> None:
    found = passages(parsed(Heading(2, "第五条 犹豫期"), Paragraph("自您签收本合同之日起，有15日的犹豫期。")), 100)
    assert found[0].text == "第五条 犹豫期\n自您签收本合同之日起，有15日的犹豫期。"
    assert found[0].clause == "第五条"


def test_a_clause_s_number_is_said_once() -> None:
    found = passages(
        parsed(Heading(2, "第五条"), Paragraph("第五条 等待期为90日。"), Heading(2, "第六条"), Paragraph("第六条 犹豫期。")), 100
    )
    assert [draft.text for draft in found] == ["第五条 等待期为90日。", "第六条 犹豫期。"]


def test_short_paragraphs_stay_together_up_to_the_size() -> None:
    found = passages(parsed(*(Paragraph(f"Paragraph {place} says something short.") for place in range(20))), 40)
    assert all(pieces(draft.text) <= 40 for draft in found)
    assert 2 < len(found) < 20


def test_what_continues_a_table_has_its_header_beside_it() -> None:
    rows = tuple((f"项目{place}", f"{place},000.5", "2.1%") for place in range(60))
    table = Table("表3：贷款质量 单位：万元", (("项目", "2023年", "占比"),), rows, page=7, box=Box(1, 2, 3, 4))
    found = passages(parsed(Heading(1, "经营情况"), table), 120)
    header = "表3：贷款质量 单位：万元\n项目 | 2023年 | 占比"
    assert found[0].text.startswith(header) and found[0].table_header == ""
    assert {draft.table_header for draft in found[1:]} == {header}
    assert all(draft.page == 7 and draft.box is not None and draft.heading_path == ("经营情况",) for draft in found)
    lines = [line for draft in found for line in draft.text.split("\n")]
    assert [line for line in lines if line.startswith("项目") and "占比" not in line] == [" | ".join(row) for row in rows]


def test_a_merged_cell_is_written_once_but_equal_numbers_stay() -> None:
    table = Table("", (("Year", "2023", "2023"),), (("Loans", "Loans", "5"), ("Deposits", "7", "7")))
    (draft,) = drafts(parsed(table), 100)
    assert draft.text == "Year | 2023 | 2023\nLoans | 5\nDeposits | 7 | 7"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="保险责任免除第条。；，! .aB1\n、", max_size=400), st.integers(5, 60))
def test_split_loses_nothing_and_keeps_the_size(text: str, most: int) -> None:
    parts = list(split(text, most))
    assert all(pieces(part) <= most for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_sentence_longer_than_a_passage_is_cut() -> None:
    parts = list(split("保" * 1000, 240))
    assert [len(part) for part in parts] == [240, 240, 240, 240, 40]


def test_numbers_of_clauses_and_items() -> None:
    assert number("第十二条 保险期间") == "第十二条"
    assert number("第 3 条　责任") == "第3条"
    assert number("5.3 保险费自动垫交") == "5.3"
    assert number("Section 4.2 Limits") == "Section4.2"
    assert number("4.35% 的利率") == ""
    assert number("2023年净利润") == ""
    assert item("（一）故意行为") == "（一）"
    assert item("1. 年龄") == "1."
    assert item("1.5倍") == ""
