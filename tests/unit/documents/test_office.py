"""Word documents and workbooks: what stands there, as it is displayed."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import Any

import docx
import openpyxl
import pytest
from documents.errors import DocumentError
from documents.formats.docx_numbers import chinese, drawn
from documents.formats.number_formats import shown
from documents.parsed import Heading, Parsed, Table
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn

from .conftest import Parse


def saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def repacked(content: bytes, **parts: bytes) -> bytes:
    """A container with other parts, named by their path with __ for / and _dot_ for a dot."""
    named = {name.replace("__", "/").replace("_dot_", "."): body for name, body in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, named.pop(name, old.read(name)))
        for name, body in named.items():
            new.writestr(name, body)
    return out.getvalue()


def texts(parsed: Parsed) -> list[tuple[str, str]]:
    return [
        ("h" + str(each.level) if isinstance(each, Heading) else each.style, each.text)
        for each in parsed.blocks
        if not isinstance(each, Table)
    ]


def numbered(document: Any, kind: str, text: str) -> str:
    """An automatic numbering of one level; returns its id."""
    root = document.part.numbering_part.element
    key = str(900 + len(root))
    abstract = parse_xml(
        f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{key}"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
        f'<w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/></w:lvl></w:abstractNum>'
    )
    root.insert(0, abstract)
    root.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="{key}"><w:abstractNumId w:val="{key}"/></w:num>'))
    return key


def number(paragraph: Any, key: str) -> None:
    paragraph._p.get_or_add_pPr().append(parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="0"/><w:numId w:val="{key}"/></w:numPr>'))


def test_a_word_document(parse: Parse) -> None:
    document = docx.Document()
    document.core_properties.title = "授信管理办法"
    document.add_heading("总 则", 1)
    document.add_paragraph("为规范授信业务，制定本办法。")
    clauses, marks = numbered(document, "chineseCountingThousand", "第%1条"), numbered(document, "bullet", "-")
    number(document.add_paragraph("授信对象应当具备下列条件，缺一不可。"), clauses)
    number(document.add_paragraph("依法登记；"), marks)
    number(document.add_paragraph("不得向关联方发放信用贷款。"), clauses)
    outlined = document.add_paragraph("附件一")
    level = OxmlElement("w:outlineLvl")
    level.set(qn("w:val"), "1")
    outlined._p.get_or_add_pPr().append(level)
    hidden = document.add_paragraph("可见").add_run("看不见")
    hidden.font.hidden = True
    document.paragraphs[-1]._p.append(parse_xml(f"<w:del {nsdecls('w')}><w:r><w:delText>删</w:delText></w:r></w:del>"))
    document.paragraphs[-1]._p.append(parse_xml(f"<w:ins {nsdecls('w')}><w:r><w:t>增</w:t></w:r></w:ins>"))
    document.paragraphs[-1]._p.append(
        parse_xml(f"<w:r {nsdecls('w')}><w:pict><w:txbxContent><w:p><w:r><w:t>框里的字。</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>")
    )
    parsed = parse(saved(document), "x.docx")
    assert parsed.title == "授信管理办法"
    assert texts(parsed) == [
        ("h1", "总则"),
        ("body", "为规范授信业务，制定本办法。"),
        ("h4", "第一条"),
        ("body", "第一条 授信对象应当具备下列条件，缺一不可。"),
        ("list", "• 依法登记；"),
        ("h4", "第二条"),
        ("body", "第二条 不得向关联方发放信用贷款。"),
        ("h2", "附件一"),
        ("body", "可见增"),
        ("body", "框里的字。"),
    ]


def test_tables_of_a_word_document(parse: Parse) -> None:
    document = docx.Document()
    document.add_paragraph("表1：费率")
    document.add_paragraph("单位：元")
    table = document.add_table(4, 3)
    for at, text in enumerate(("年龄", "费率", "", "", "男", "女", "30", "1.2", "1.1", "31", "1.3", "1.2")):
        table.cell(at // 3, at % 3).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(0, 0).merge(table.cell(1, 0))
    (only,) = (each for each in parse(saved(document), "x.docx").blocks if isinstance(each, Table))
    assert only.caption == "表1：费率 单位：元"
    assert only.header == (("年龄", "费率", "费率"), ("年龄", "男", "女"))
    assert only.rows == (("30", "1.2", "1.1"), ("31", "1.3", "1.2"))


FOOTNOTES = (
    '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>'
    '<w:footnote w:id="2"><w:p><w:r><w:t>指保险单载明的日期。</w:t></w:r></w:p></w:footnote></w:footnotes>'
)


def test_a_footnote_follows_its_paragraph(parse: Parse) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("自生效日")
    paragraph._p.append(parse_xml(f'<w:r {nsdecls("w")}><w:footnoteReference w:id="2"/></w:r>'))
    paragraph.add_run("起九十天。")
    content = saved(document)
    relations = zipfile.ZipFile(io.BytesIO(content)).read("word/_rels/document.xml.rels")
    types = zipfile.ZipFile(io.BytesIO(content)).read("[Content_Types].xml")
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    named = {
        "word/footnotes.xml": FOOTNOTES.encode(),
        "word/_rels/document.xml.rels": relations.replace(
            b"</Relationships>", f'<Relationship Id="rF" Type="{kind}" Target="footnotes.xml"/></Relationships>'.encode()
        ),
        "[Content_Types].xml": types.replace(
            b"</Types>",
            b'<Override PartName="/word/footnotes.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml'
            b'.footnotes+xml"/></Types>',
        ),
    }
    parsed = parse(repacked(content, **{name.replace("/", "__").replace(".", "_dot_"): body for name, body in named.items()}), "x.docx")
    assert texts(parsed) == [("body", "自生效日[2]起九十天。"), ("footnote", "[2] 指保险单载明的日期。")]


def test_numbers_of_word() -> None:
    assert [chinese(each) for each in (1, 10, 12, 20, 101, 110, 1005)] == ["一", "十", "十二", "二十", "一百零一", "一百一十", "一千零五"]
    assert [drawn(4, kind) for kind in ("decimal", "lowerLetter", "upperRoman", "decimalZero", "decimalEnclosedCircle")] == [
        "4",
        "d",
        "IV",
        "04",
        "④",
    ]


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.0435, "0.00%", "4.35%"),
        (0.0435, "0%", "4%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (-1234.5, "#,##0.00_);(#,##0.00)", "(1,234.50)"),
        (-1234.5, "#,##0.00;[Red]-#,##0.00", "-1,234.50"),
        (1234567, "#,##0", "1,234,567"),
        (1234567, "#,##0,", "1,235"),
        (1234567, '0.0,,"百万"', "1.2百万"),
        (1.005, "0.00", "1.01"),
        (0.1 + 0.2, "General", "0.3"),
        (1e21, "General", "1000000000000000000000"),
        (12, "General", "12"),
        (12.0, "General", "12"),
        (12.5, '"¥"#,##0.00', "¥12.50"),
        (12.5, "[$￥-804]#,##0.00", "￥12.50"),
        (12.5, '_ ¥* #,##0.00_ ;_ ¥* -#,##0.00_ ;_ ¥* "-"??_ ;_ @_ ', "¥12.50"),
        (0, '#,##0;-#,##0;"-"', "-"),
        (0, '_ ¥* #,##0.00_ ;_ ¥* -#,##0.00_ ;_ ¥* "-"??_ ;_ @_ ', "¥-"),
        (0.5, "0.0#", "0.5"),
        (7, "000000", "000007"),
        (12345.678, "0.00E+00", "1.23E+4"),
        (0.5, "# ?/?", "0.5"),
        (3, '0"天"', "3天"),
        ("文本", "@", "文本"),
        (True, "General", "TRUE"),
        (None, "General", ""),
        (dt.datetime(2025, 3, 1, 13, 5), "yyyy-mm-dd", "2025-03-01"),
        (dt.datetime(2025, 3, 1, 13, 5), 'yyyy"年"m"月"d"日"', "2025年3月1日"),
        (dt.datetime(2025, 3, 1, 13, 5, 9), "yyyy/m/d h:mm:ss", "2025/3/1 13:05:09"),
        (dt.datetime(2025, 3, 1, 13, 5), "h:mm AM/PM", "1:05 PM"),
        (dt.datetime(2025, 3, 1), "mmm-yy", "Mar-25"),
        (dt.time(9, 30), "hh:mm", "09:30"),
        (dt.timedelta(hours=30, minutes=5), "[h]:mm:ss", "30:05:00"),
    ],
)
def test_values_are_shown_as_they_are_displayed(value: object, code: str, text: str) -> None:
    assert shown(value, code) == text


def test_a_workbook(parse: Parse) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "费率"
    sheet.append(["2025年费率表"])
    sheet.merge_cells("A1:D1")
    sheet.append(["单位：万元"])
    sheet.append(["机构", "保费", "保费", "日期"])
    sheet.merge_cells("B3:C3")
    sheet.append(["", "期初", "占比", ""])
    sheet.append(["北京", 1234.5, 0.0435, dt.date(2025, 3, 1)])
    sheet.append(["上海", 99, 0.5, dt.date(2025, 3, 2)])
    sheet.append([])
    sheet.append(["另一张", "值"])
    sheet.append(["合计", "=1+1"])
    for row in (5, 6):
        sheet.cell(row, 2).number_format = "#,##0.00"
        sheet.cell(row, 3).number_format = "0.00%"
        sheet.cell(row, 4).number_format = "yyyy-mm-dd"
    secret = book.create_sheet("隐藏")
    secret.append(["藏"])
    secret.sheet_state = "hidden"
    parsed = parse(saved(book), "x.xlsx")
    first, second = (each for each in parsed.blocks if isinstance(each, Table))
    assert texts(parsed) == [("h1", "费率"), ("body", "2025年费率表")]
    assert (first.caption, first.sheet) == ("单位：万元", "费率")
    assert first.header == (("机构", "保费", "保费", "日期"), ("", "期初", "占比", ""))
    assert first.rows == (("北京", "1,234.50", "4.35%", "2025-03-01"), ("上海", "99.00", "50.00%", "2025-03-02"))
    assert second.rows == () or second.rows[0][0] == "合计"
    assert "藏" not in repr(parsed.blocks)
    assert any("hidden sheet" in each for each in parsed.warnings)


def test_a_sheet_that_says_it_is_endless_is_read_at_once(parse: Parse) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "甲"
    book.active.cell(1_048_576, 16_384).value = "乙"
    content = saved(book)
    parsed = parse(content, "x.xlsx")
    assert [each[1] for each in texts(parsed)] == ["Sheet", "甲", "乙"]


def test_what_is_no_whole_document(parse: Parse) -> None:
    content = saved(docx.Document())
    for at in range(1, 10):
        with pytest.raises(DocumentError) as error:
            parse(content[: len(content) * at // 10], "x.docx")
        assert error.value.reason == "MALFORMED"
