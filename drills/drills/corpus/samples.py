"""The corpus of `make run`: what it holds, and the facts that questions may ask for.

Everything is invented. The two versions of the terms differ in the waiting period, the rate and one exclusion, and in nothing else.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

from drills.corpus import report, scan, terms
from drills.corpus.pdf import Pdf

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@dataclass(frozen=True, slots=True)
class Sample:
    """A document as somebody would submit it. ``source`` names it through its versions; ``valid_from`` is a date, "" if it always holds."""

    source: str
    version: int
    name: str
    title: str
    content: bytes
    media_type: str
    grade: str
    valid_from: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What may be asked, and a piece of text that the passage must hold that answers it. ``grade``: the clearance that it takes."""

    text: str
    source: str
    version: int
    holds: str
    grade: str


QUESTIONS = (
    Question("安心守护终身寿险的等待期是多少天？", "anxin-shouhu", 2, "180日", "L1"),
    Question("安心守护终身寿险有哪些责任免除？", "anxin-shouhu", 2, "故意自伤", "L1"),
    Question("What was the net premium income of 2025?", "annual-report", 1, "12,345.60", "L1"),
    Question("单户授信集中度上限是多少？", "credit-policy", 1, "10%", "L3"),
    Question("变更后的受益人是谁？", "scanned-endorsement", 1, "李小明", "L2"),
)
"""One for each document; the policy is not for everybody."""


def samples() -> list[Sample]:
    """All of them, the first version of the terms before the second."""
    return [
        Sample(
            "anxin-shouhu",
            1,
            name="安心守护终身寿险条款-2024.pdf",
            title=terms.TITLE,
            content=terms.content(1),
            media_type="application/pdf",
            grade="L1",
            valid_from="2024-01-01",
        ),
        Sample(
            "anxin-shouhu",
            2,
            name="安心守护终身寿险条款-2025.pdf",
            title=terms.TITLE,
            content=terms.content(2),
            media_type="application/pdf",
            grade="L1",
            valid_from="2025-07-01",
        ),
        Sample(
            "credit-policy",
            1,
            name="授信集中度管理办法.docx",
            title=POLICY_TITLE,
            content=policy(),
            media_type=DOCX,
            grade="L3",
            valid_from="2025-01-01",
        ),
        Sample(
            "annual-report",
            1,
            name="annual-report-2025.pdf",
            title=report.TITLE,
            content=report.content(),
            media_type="application/pdf",
            grade="L1",
        ),
        Sample(
            "scanned-endorsement", 1, name="批单扫描件.pdf", title="保险批单", content=scanned(), media_type="application/pdf", grade="L2"
        ),
    ]


POLICY_TITLE = "授信集中度管理办法"
_POLICY = (
    (
        "总则",
        ["为防范授信集中度风险，依据监管规定和本行章程，制定本办法。", "本办法适用于总行及各分支机构的表内外授信业务，仅限内部使用。"],
    ),
    (
        "集中度限额",
        [
            "对单一客户的授信余额不得超过资本净额的10%，对单一集团客户不得超过资本净额的15%。",
            "对房地产行业的授信余额占各项贷款的比例不得超过25%，超过22%时启动预警。",
            "突破限额的，须在三个工作日内报风险管理委员会，并在九十日内压降至限额以内。",
        ],
    ),
    ("职责分工", ["风险管理部负责限额的测算、监测和报告，每月十日前报送上月集中度报表。", "授信审批部不得审批导致突破限额的业务。"]),
)


def policy() -> bytes:
    """A Word document whose clauses are numbered by Word."""
    import docx
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = docx.Document()
    document.core_properties.title = POLICY_TITLE
    document.add_heading(POLICY_TITLE, 0)
    root = document.part.numbering_part.element
    level = '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="chineseCountingThousand"/><w:lvlText w:val="第%1条"/></w:lvl>'
    root.insert(0, parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{level}</w:abstractNum>'))
    root.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))
    for at, (heading, clauses) in enumerate(_POLICY):
        document.add_heading(f"第{'一二三'[at]}章 {heading}", 1)
        for clause in clauses:
            properties = document.add_paragraph(clause)._p.get_or_add_pPr()
            properties.append(parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="0"/><w:numId w:val="77"/></w:numPr>'))
    table = document.add_table(3, 3)
    for place, text in enumerate(("行业", "限额", "预警线", "房地产", "25%", "22%", "地方融资平台", "12%", "10%")):
        table.cell(place // 3, place % 3).text = text
    file = io.BytesIO()
    document.save(file)
    return _undated(file)


def _undated(file: io.BytesIO) -> bytes:
    """A container whose entries don't say when they were written."""
    whole = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(whole, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return whole.getvalue()


_ENDORSEMENT = (
    (430, 200, 56, "保险批单"),
    (140, 330, 32, "批单号：PD-2025-000318"),
    (140, 400, 32, "兹经投保人申请，并经本公司同意，对保险合同作如下变更："),
    (140, 480, 32, "一、身故保险金受益人变更为李小明，受益份额为百分之百。"),
    (140, 560, 32, "二、年交保险费由1,234.50元变更为1,500.00元。"),
    (140, 640, 32, "三、本批单自2025年8月1日零时起生效。"),
    (140, 760, 32, "安心人寿保险股份有限公司"),
)


def scanned() -> bytes:
    """A PDF of one page that is an image."""
    pixels = scan.page(_ENDORSEMENT)
    pdf = Pdf("批单扫描件")
    pdf.sheet().image(pixels.shape[1], pixels.shape[0], pixels.tobytes())
    return pdf.content()
