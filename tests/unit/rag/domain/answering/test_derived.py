"""Numbers that are computed say how, and cite each number that they were computed from."""

import pytest
from rag.domain.answering import answer

from tests.unit.rag.domain.answering.passages import passage

TABLE = passage(
    "营业收入 | 320.0 | 250.0\n净利润 | 44.1 | 56.7\n不良率 | 1.2% | 1.5%",
    title="江城银行2023年年度报告",
    table_header="单位：百万元\n项目 | 2023年 | 2022年",
)
ENGLISH = passage("Other | 44.1 | 56.7", title="Harbour Bank", table_header="(in millions of dollars)\nItem | 2019 | 2018")


@pytest.mark.parametrize(
    ("question", "table", "result", "operands"),
    [
        ("江城银行净利润2023年比2022年变化了多少？", TABLE, "-12,600,000元", ("44.1", "56.7")),
        ("江城银行2023年营业收入比2022年增长了百分之几？", TABLE, "28%", ("320.0", "250.0")),
        ("江城银行2022年和2023年营业收入合计是多少？", TABLE, "570,000,000元", ("320.0", "250.0")),
        ("江城银行2022年和2023年平均营业收入是多少？", TABLE, "285,000,000元", ("320.0", "250.0")),
        ("江城银行不良率2023年比2022年下降了多少？", TABLE, "-0.3个百分点", ("1.2%", "1.5%")),
        ("What is the change in other of Harbour Bank between 2018 and 2019?", ENGLISH, "-12,600,000 USD", ("44.1", "56.7")),
    ],
)
def test_a_derived_number(question: str, table: object, result: str, operands: tuple[str, ...]) -> None:
    assert isinstance(table, type(TABLE))
    (sentence,) = answer(question, [table]).sentences
    assert sentence.derivation is not None and result in sentence.text
    assert (sentence.derivation.result, sentence.derivation.operands) == (result, operands)
    assert tuple(table.text[one.start : one.end] for one in sentence.citations) == operands


@pytest.mark.parametrize("question", ["江城银行净利润2023年比2020年变化了多少？", "江城银行手续费收入2023年比2022年变化了多少？"])
def test_what_can_not_be_derived_is_refused(question: str) -> None:
    assert answer(question, [TABLE]).sentences == ()
