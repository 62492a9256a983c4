"""Terms of a life insurance product, as an insurer files them: numbered clauses, exclusions, a table of rates. Invented."""

from __future__ import annotations

from drills.corpus.typeset import Typesetter

TITLE = "安心守护终身寿险条款"
WAITING = {1: "90日", 2: "180日"}
RATE = {1: "3.0%", 2: "2.5%"}
_EXCLUSIONS = (
    "投保人对被保险人的故意杀害、故意伤害；",
    "被保险人故意犯罪或者抗拒依法采取的刑事强制措施；",
    "被保险人自本合同成立或者合同效力恢复之日起二年内故意自伤或者自杀，但被保险人自杀时为无民事行为能力人的除外；",
    "被保险人主动吸食或者注射毒品；",
    "被保险人酒后驾驶、无合法有效驾驶证驾驶，或者驾驶无有效行驶证的机动车；",
    "战争、军事冲突、暴乱或者武装叛乱；",
    "核爆炸、核辐射或者核污染。",
)
_SECOND_VERSION = "被保险人从事潜水、跳伞、攀岩等高风险运动；"


def _clauses(version: int) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    exclusions = [*_EXCLUSIONS[:5], *([_SECOND_VERSION] if version > 1 else []), *_EXCLUSIONS[5:]]
    numbered = [f"（{'一二三四五六七八九'[at]}）{text}" for at, text in enumerate(exclusions)]
    return [
        (
            "总则",
            [
                ("合同构成", ["本保险合同由保险条款、投保单、保险单、批单以及其他书面协议构成。凡涉及本合同的约定，均应采用书面形式。"]),
                ("投保范围", ["被保险人的投保年龄为出生满三十日至六十五周岁。投保人对被保险人应当具有保险利益。"]),
                ("犹豫期", ["投保人自签收本合同次日起有十五日的犹豫期，在此期间解除合同的，本公司退还所交的全部保险费。"]),
            ],
        ),
        (
            "保险责任",
            [
                (
                    "等待期",
                    [
                        f"自本合同生效之日起{WAITING[version]}内为等待期。被保险人在等待期内因意外伤害以外的原因身故的，"
                        "本公司不承担给付保险金的责任，但退还已交的保险费，本合同终止。"
                    ],
                ),
                (
                    "身故保险金",
                    [
                        "被保险人在等待期后身故的，本公司按照下列各项中的较大者给付身故保险金，本合同终止：",
                        "（一）身故时本合同的基本保险金额；",
                        "（二）已交保险费的160%；",
                        "（三）身故时本合同的现金价值。",
                    ],
                ),
                ("现金价值", [f"本合同的现金价值按照年利率{RATE[version]}以年复利计算，各保单年度末的数额载明于保险单。"]),
            ],
        ),
        (
            "责任免除",
            [
                (
                    "责任免除",
                    [
                        "因下列情形之一导致被保险人身故的，本公司不承担给付保险金的责任：",
                        *numbered,
                        "发生上述情形的，本合同终止，本公司向投保人退还本合同的现金价值。",
                    ],
                )
            ],
        ),
        (
            "保险金的申请",
            [
                ("保险事故通知", ["投保人、被保险人或者受益人知道保险事故后，应当在十日内通知本公司。"]),
                ("保险金给付", ["本公司收到申请和证明材料后，应当及时作出核定；情形复杂的，在三十日内作出核定。"]),
            ],
        ),
    ]


def content(version: int) -> bytes:
    """The file of a version, 1 or 2."""
    page = Typesetter(f"{TITLE}（{2023 + version}版）", f"安心人寿保险股份有限公司　{TITLE}（{2023 + version}版）")
    page.title(TITLE)
    page.paragraph(f"（{2023 + version}版，{'2024年1月1日' if version == 1 else '2025年7月1日'}起施行）", indent=False)
    number = 0
    for at, (chapter, clauses) in enumerate(_clauses(version)):
        page.heading(f"第{'一二三四'[at]}章 {chapter}")
        for name, paragraphs in clauses:
            number += 1
            page.paragraph(f"第{'一二三四五六七八九十'[number - 1]}条　{name}", indent=False)
            for text in paragraphs:
                page.paragraph(text)
    rows = [["投保年龄", "十年交", "二十年交"], *([str(age), f"{base:,.2f}", f"{base * 0.62:,.2f}"] for age, base in _rates(version))]
    page.table("表1：每千元基本保险金额年交费率", "单位：元", rows, (150, 120, 120), ruled=True)
    return page.pdf.content()


def _rates(version: int) -> list[tuple[int, float]]:
    return [(age, (38.5 if version == 1 else 41.2) * 1.018 ** (age - 20)) for age in range(20, 61, 5)]
