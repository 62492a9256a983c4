"""A data set as a bank's or an insurer's documents would make it: wordings that share most of their text, reports of several years, seeded.

Questions are put in other words than the passages and name the product or the company, as people do; some name nothing, and have their
document in `scope`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

_INSURERS = ["海川", "云岭", "金穗"]
_PRODUCTS = ["安心终身寿险", "康泰重大疾病保险", "家园财产保险", "行旅意外伤害保险"]
CLAUSES = [
    ("等待期", "自本合同生效之日起{n}日内为等待期，等待期内发生保险事故的，我们不承担给付保险金的责任。", "{p}的等待期有多久"),
    ("犹豫期", "您签收本合同之日起有{n}日的犹豫期，期间内您可以无条件解除合同并获得全部保险费。", "买了{p}后悔了几天内能全额退保"),
    ("宽限期", "到期未支付保险费的，自约定支付日的次日零时起{n}日为宽限期，宽限期内我们仍承担保险责任。", "{p}保费晚交多少天还有保障"),
    ("保单贷款", "您可以申请保单贷款，贷款金额不超过现金价值的百分之{n}，每次贷款期限不超过六个月。", "{p}最多能借现金价值的百分之几"),
    ("责任免除", "因投保人的故意行为、战争或者核辐射导致损失的，我们不承担保险责任，并扣除手续费{n}元。", "{p}在哪些情况下不赔"),
    ("效力恢复", "合同效力中止之日起{n}个月内您可以申请恢复效力，经我们同意并补交保险费后恢复。", "{p}失效后多长时间内可以复效"),
]
_COMPANIES = ["Harbour Instruments", "Northwind Foods", "Alpine Semiconductors"]
_ITEMS = [
    ("Revenue", "Revenue was ${n} million in {y}, driven by services sold to large customers.", "How much did {c} sell in FY{y}?"),
    (
        "Capital expenditure",
        "Purchases of property and equipment amounted to ${n} million in fiscal {y}.",
        "What capital expenditure had {c} in {y}?",
    ),
    (
        "Income taxes",
        "The effective tax rate was {n}.4% for the year {y} after credits for research.",
        "Which tax rate applied to {c} in {y}?",
    ),
    ("Dividends", "The board declared dividends of ${n} million to shareholders during {y}.", "What did {c} pay its shareholders in {y}?"),
    (
        "Employees",
        "We employed {n} thousand people at the end of {y}, most of them in manufacturing.",
        "How many people worked for {c} in {y}?",
    ),
]


def write(folder: Path, *, shuffled: bool = False, prefix: str = "r", metadata: bool = True) -> None:
    """Write the set. ``shuffled``: questions in another order; ``prefix``: of all ids; ``metadata``: with what the service never sees."""
    numbers = random.Random(14)
    records: list[dict[str, object]] = []
    questions: list[tuple[str, int, str]] = []
    for insurer in _INSURERS:
        for product in _PRODUCTS:
            title = f"{insurer}{product}（2021版）条款"
            for heading, text, asked in CLAUSES:
                place = len(records)
                records.append({"title": title, "text": f"第{place % 6 + 1}条 {heading}\n" + text.format(n=numbers.randrange(10, 400))})
                questions.append((asked.format(p=insurer + product), place, ""))
                questions.append((asked.format(p="这份合同"), place, title))
    for company in _COMPANIES:
        for year in (2018, 2019, 2020):
            title = f"{company.replace(' ', '')}_{year}_10K"
            for heading, text, asked in _ITEMS:
                records.append({"title": title, "text": f"{heading}\n" + text.format(n=numbers.randrange(10, 900), y=year)})
                questions.append((asked.format(c=company, y=year), len(records) - 1, ""))
    records += [{"title": "", "text": f"Note {place}: accounting policies of entity {place} apply without change."} for place in range(20)]
    order = list(range(len(questions)))
    if shuffled:
        numbers.shuffle(order)
    known = {"metadata": {"answer": "秘密 secret"}} if metadata else {}
    _lines(folder / "corpus.jsonl", [{"_id": f"{prefix}{place}", **record, **known} for place, record in enumerate(records)])
    _lines(
        folder / "queries.jsonl",
        [
            {"_id": f"q-{prefix}{each}", "text": questions[each][0], **known}
            | ({"scope": {"document": questions[each][2]}} if questions[each][2] else {})
            for each in order
        ],
    )
    judged = "".join(f"q-{prefix}{each}\t{prefix}{questions[each][1]}\t1\n" for each in order)
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged, "utf-8")


def _lines(path: Path, values: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), "utf-8")
