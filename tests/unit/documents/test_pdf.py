"""PDFs: reading order, paragraphs, headings, running lines, tables with and without rules."""

from __future__ import annotations

import itertools

import pytest
from documents.parsed import Heading, Paragraph, Parsed, Table
from drills.corpus.pdf import Pdf, Sheet

from .conftest import Parse

FIGURES = [
    ["项目", "2025年", "2024年"],
    ["营业收入", "1,234.50", "1,100.00"],
    ["净利润", "(234.50)", "200.10"],
    ["总资产", "9,999.00", "8,888.00"],
]
WIDTHS = (150, 100, 100)


def grid(sheet: Sheet, top: float, rows: list[list[str]], across: set[int], down: bool, left: float = 72) -> None:
    """Rows of a table with lines across above rows of these numbers."""
    edges = [left, *itertools.accumulate(WIDTHS, initial=left)][1:]
    for at in across:
        sheet.line(left, top + 18 * at, edges[-1], top + 18 * at)
    for edge in edges if down else []:
        sheet.line(edge, top, edge, top + 18 * len(rows))
    for at, row in enumerate(rows):
        for edge, cell in zip(edges, row, strict=False):
            sheet.text(edge + 4, top + 18 * at + 13, cell, 9)


def tables(parsed: Parsed) -> list[Table]:
    return [each for each in parsed.blocks if isinstance(each, Table)]


def prose(parsed: Parsed) -> list[str]:
    return [each.text for each in parsed.blocks if isinstance(each, Paragraph)]


def headings(parsed: Parsed) -> list[tuple[int, str]]:
    return [(each.level, each.text) for each in parsed.blocks if isinstance(each, Heading)]


def framed(pdf: Pdf, count: int) -> list[Sheet]:
    """Pages with a running line above and a number below."""
    for number in range(1, count + 1):
        sheet = pdf.sheet()
        sheet.text(72, 40, "安心人寿保险股份有限公司 年度报告", 9)
        sheet.text(270, 820, f"第 {number} 页 共 {count} 页", 9)
    return pdf.sheets


def test_paragraphs_headings_and_running_lines(parse: Parse) -> None:
    pdf = Pdf("年度报告.doc")
    first, second, third = framed(pdf, 3)
    first.text(180, 100, "二〇二五年年度报告", 22)
    first.text(72, 150, "第一章 公司简介", 14)
    lines = [
        "本公司成立于二〇〇一年，注册资本人民币五十亿元，主要经营人寿保险、健康保险、意外",
        "伤害保险等业务。截至报告期末，公司总资产1,234.56亿元，较年初增长4.35%，偿付能力充",
        "足率为235%。",
    ]
    for at, line in enumerate(lines):
        first.text(72, 180 + 18 * at, line)
    first.text(93, 234, "第二段缩进两个字，从这里开始，它很长，一直到这一页的末尾还没有说完，要到下一页去")
    second.text(72, 80, "才会结束，所以应当是一个段落。")
    third.text(72, 80, "Risk manage-")
    third.text(72, 93, "ment is everybody’s business, and the compa-")
    third.text(72, 106, "ny says so.")
    parsed = parse(pdf.content(), "a.pdf")
    assert (parsed.title, parsed.pages, parsed.ocr_pages) == ("二〇二五年年度报告", 3, ())
    assert headings(parsed) == [(1, "二〇二五年年度报告"), (2, "第一章 公司简介")]
    assert prose(parsed) == [
        "".join(lines),
        "第二段缩进两个字，从这里开始，它很长，一直到这一页的末尾还没有说完，要到下一页去才会结束，所以应当是一个段落。",
        "Risk management is everybody’s business, and the company says so.",
    ]
    box = next(each.box for each in parsed.blocks if isinstance(each, Paragraph))
    assert box is not None
    assert (round(box.x0), box.y0 < 180 < box.y1) == (72, True)


def test_two_columns_are_read_one_after_the_other(parse: Parse) -> None:
    pdf = Pdf()
    sheet = pdf.sheet()
    sheet.text(60, 70, "A title over both columns of the page, as papers have it at their top, right across", 11)
    for at in range(12):
        sheet.text(60, 100 + 13 * at, f"left line {at:02} goes on and on until its end", 9)
        sheet.text(320, 100 + 13 * at, f"right line {at:02} goes on and on until its end", 9)
    text = " ".join(prose(parse(pdf.content(), "a.pdf")))
    assert [text.index(f"{side} line {at:02}") for side in ("left", "right") for at in range(12)] == sorted(
        text.index(f"{side} line {at:02}") for side in ("left", "right") for at in range(12)
    )


@pytest.mark.parametrize(
    ("across", "down"),
    [(set(range(5)), True), ({0, 1, 4}, True), ({0, 1, 4}, False), ({1, 4}, False), (set(range(5)), False), (set(), False)],
)
def test_a_table_however_it_is_ruled(parse: Parse, across: set[int], down: bool) -> None:
    pdf = Pdf()
    sheet = pdf.sheet()
    sheet.text(72, 90, "本节列示主要数据，见下表，各项均为期末数。")
    sheet.text(72, 120, "表1：主要财务数据", 10.5)
    sheet.text(380, 120, "单位：万元", 9)
    grid(sheet, 130, FIGURES, across, down)
    sheet.text(72, 250, "以上数据未经审计，仅供参考，请勿据此投资。")
    parsed = parse(pdf.content(), "a.pdf")
    (only,) = tables(parsed)
    assert (only.caption, only.header, only.rows) == (
        "表1：主要财务数据 单位：万元",
        (tuple(FIGURES[0]),),
        tuple(map(tuple, FIGURES[1:])),
    )
    assert prose(parsed) == ["本节列示主要数据，见下表，各项均为期末数。", "以上数据未经审计，仅供参考，请勿据此投资。"]
    assert [type(each) for each in parsed.blocks] == [Paragraph, Table, Paragraph]


def test_merged_cells_stand_in_each_place(parse: Parse) -> None:
    pdf = Pdf()
    sheet = pdf.sheet()
    for at, (start, end) in enumerate([(72, 422), (222, 422), (72, 422), (72, 422)]):
        sheet.line(start, 100 + 18 * at, end, 100 + 18 * at)
    for x, y in ((72, 100), (222, 100), (322, 118), (422, 100)):
        sheet.line(x, y, x, 154)
    for x, y, text in (
        (76, 122, "年龄"),
        (300, 113, "费率"),
        (226, 131, "男性"),
        (326, 131, "女性"),
        (76, 149, "30"),
        (226, 149, "1.2%"),
        (326, 149, "1.1%"),
    ):
        sheet.text(x, y, text, 9)
    (only,) = tables(parse(pdf.content(), "a.pdf"))
    assert only.header == (("年龄", "费率", "费率"), ("年龄", "男性", "女性"))
    assert only.rows == (("30", "1.2%", "1.1%"),)


def test_a_merged_header_over_columns_without_rules_down(parse: Parse) -> None:
    pdf = Pdf()
    sheet = pdf.sheet()
    for y in (100, 136, 190):
        sheet.line(72, y, 422, y)
    rows = [
        (113, [(240, "Year ended 31 December 2025 and 2024")]),
        (131, [(76, "Item"), (260, "2025"), (360, "2024")]),
        (149, [(76, "Revenue"), (260, "1,234"), (360, "1,100")]),
        (167, [(76, "Costs"), (260, "(900)"), (360, "(800)")]),
        (185, [(76, "Profit"), (260, "334"), (360, "300")]),
    ]
    for y, cells in rows:
        for x, text in cells:
            sheet.text(x, y, text, 9)
    (only,) = tables(parse(pdf.content(), "a.pdf"))
    title = "Year ended 31 December 2025 and 2024"
    assert only.header == (("", title, title), ("Item", "2025", "2024"))
    assert only.rows[0] == ("Revenue", "1,234", "1,100")


def test_the_outline_says_what_a_heading_is(parse: Parse) -> None:
    pdf = Pdf(outline=[("总体情况", 0, 0), ("经营 分析", 1, 0)])
    sheet = pdf.sheet()
    sheet.text(72, 90, "总体情况")
    sheet.text(72, 130, "今年各项业务平稳增长，没有发生重大风险事件。")
    sheet.text(72, 170, "经营分析")
    sheet.text(72, 210, "经营活动产生的现金流量净额较上年同期有所增加。")
    assert headings(parse(pdf.content(), "a.pdf")) == [(1, "总体情况"), (2, "经营分析")]
