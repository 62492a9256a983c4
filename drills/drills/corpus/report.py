"""A yearly report in English and Chinese, mostly tables: with all lines and with lines across alone. Invented."""

from __future__ import annotations

from drills.corpus.typeset import Typesetter

TITLE = "Anxin Life Annual Report 2025"
_INCOME = (
    ("Item", "2025", "2024"),
    ("Gross written premiums", "13,579.20", "12,001.00"),
    ("Premiums ceded", "(1,233.60)", "(1,100.40)"),
    ("Net premium income", "12,345.60", "10,900.60"),
    ("Investment income", "2,468.00", "2,310.50"),
    ("Claims and benefits", "(9,876.50)", "(8,800.10)"),
    ("Net profit", "1,020.30", "(150.20)"),
)
_SOLVENCY = (
    ("指标", "2025年末", "2024年末", "变动"),
    ("核心偿付能力充足率", "156.20%", "148.00%", "8.20个百分点"),
    ("综合偿付能力充足率", "235.40%", "221.70%", "13.70个百分点"),
    ("净资产（亿元）", "321.50", "298.00", "7.89%"),
)
_CHANNELS = (
    ("渠道", "保费收入", "占比"),
    ("个人代理", "6,543.20", "48.19%"),
    ("银行保险", "4,321.00", "31.82%"),
    ("经纪及互联网", "2,715.00", "19.99%"),
)


def content() -> bytes:
    """The file."""
    page = Typesetter(TITLE, "Anxin Life Insurance Co., Ltd.  Annual Report 2025")
    page.title(TITLE)
    page.heading("1 Financial review")
    page.paragraph(
        "Net premium income rose by 13.3% to CNY 12,345.60 million. The company returned to profit after the losses of the year before; "
        "all figures are audited and stated in millions of CNY unless said otherwise.",
        indent=False,
    )
    page.table("Table 1: Income statement", "in millions of CNY", _INCOME, (190, 110, 110), ruled=False)
    page.heading("2 Solvency 偿付能力")
    page.paragraph("报告期内，公司偿付能力充足，各项指标均高于监管要求，核心偿付能力充足率较上年末提高8.20个百分点。")
    page.table("表2：偿付能力指标", "", _SOLVENCY, (150, 90, 90, 110), ruled=True)
    page.table("表3：分渠道保费收入", "单位：百万元", _CHANNELS, (150, 120, 120), ruled=False)
    page.heading("3 Outlook")
    page.paragraph(
        "For 2026 the board expects premiums to grow by 6% to 8%. New business will shift further towards participating products, "
        "and the guaranteed rate of new contracts will not exceed 2.0%.",
        indent=False,
    )
    return page.pdf.content()
