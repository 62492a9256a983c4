"""Statements against passages: by example, and thousands of generated ones."""

import pytest
from claims import Evidence, Status, verify

from bench.claims import scored
from bench.claims_corpus import PLANTS

REPORT = Evidence(
    "截至2023年6月30日，公司总资产为320,145,000元。2023年上半年营业收入为3.2亿元，同比增长12.5%；净利润为8,000万元，同比下降3.1%。"
    "等待期为90日，宽限期为60日。保险人不承担赔偿责任。2022年和2021年营业收入分别为2.8亿元和2.5亿元。投保人应当及时通知保险人。"
    "最高给付金额不超过100万元。",
    title="年度报告",
)
TABLE = Evidence(
    "| | Years Ended September 30, |\n| 2019 | 2018 | 2017\nFixed Price | $ 1,452.4 | $ 1,146.2 | $ 1,036.9\nOther | 44.1 | 56.7 | 70.8\n"
    "Total sales | $1,496.5 | $1,202.9 | $1,107.7",
    headings=("Sales by contract type (in millions)",),
)


@pytest.mark.parametrize(
    ("statement", "evidence", "status"),
    [
        ("2023年上半年营业收入为32000万元，同比增长1250BP。", REPORT, Status.SUPPORTED),
        ("2023年上半年，营业收入为叁亿贰仟万元整。", REPORT, Status.SUPPORTED),
        ("总资产为3.2亿元", REPORT, Status.SUPPORTED),
        ("宽限期为六十日", REPORT, Status.SUPPORTED),
        ("2022年营业收入为2.8亿元", REPORT, Status.SUPPORTED),
        ("2021年营业收入为2.5亿元", REPORT, Status.SUPPORTED),
        ("保险人不承担赔偿责任。", REPORT, Status.SUPPORTED),
        ("2023年上半年营业收入为3.3亿元", REPORT, Status.CONTRADICTED),
        ("2022年上半年营业收入为3.2亿元", REPORT, Status.CONTRADICTED),
        ("2023年营业收入为3.2亿元", REPORT, Status.CONTRADICTED),
        ("净利润为0.8亿元，同比增长3.1%", REPORT, Status.CONTRADICTED),
        ("净利润为0.8亿元，同比下降3.1个百分点", REPORT, Status.CONTRADICTED),
        ("等待期为60日", REPORT, Status.CONTRADICTED),
        ("宽限期为60个月", REPORT, Status.CONTRADICTED),
        ("2021年营业收入为2.8亿元", REPORT, Status.CONTRADICTED),
        ("2022年营业收入为2.8亿美元", REPORT, Status.CONTRADICTED),
        ("保险人承担赔偿责任", REPORT, Status.CONTRADICTED),
        ("投保人可以及时通知保险人", REPORT, Status.CONTRADICTED),
        ("最高给付金额超过100万元", REPORT, Status.CONTRADICTED),
        ("火星基地已经建成", REPORT, Status.UNKNOWN),
        ("Total sales in 2019 were $1.4965 billion.", TABLE, Status.SUPPORTED),
        ("Other sales in 2019 were $44.1 million.", TABLE, Status.SUPPORTED),
        ("Total sales in 2018 were $1,496.5 million.", TABLE, Status.CONTRADICTED),
        ("Fixed price sales in 2019 were $44.1 million.", TABLE, Status.CONTRADICTED),
        ("Total sales in 2019 were $1,496.5.", TABLE, Status.CONTRADICTED),
    ],
)
def test_verdicts(statement: str, evidence: Evidence, status: Status) -> None:
    verdict = verify(statement, [evidence])
    assert verdict.status is status, verdict.reason


def test_a_verdict_shows_what_it_stands_on() -> None:
    verdict = verify("宽限期为六十日", [Evidence("无关的一段。"), REPORT])
    (used,) = verdict.used
    assert used.passage == 1 and REPORT.text[used.start : used.end] == "等待期为90日，宽限期为60日。"


def test_nothing_stated_and_nothing_to_stand_on_is_unknown() -> None:
    assert verify("。", [REPORT]).status is verify("宽限期为60日", []).status is Status.UNKNOWN


@pytest.mark.parametrize("hidden", ["保险人不\u200b承担赔偿责任", "保险人\u2060不承\u00ad担赔偿责任"])
def test_what_is_hidden_hides_no_negation(hidden: str) -> None:
    assert verify("保险人承担赔偿责任", [Evidence(hidden)]).status is Status.CONTRADICTED
    assert verify("保险人不承担赔偿责任", [Evidence(hidden)]).is_supported


def test_planted_faults_are_caught_and_rewrites_are_not() -> None:
    score = scored(3_000, seed=11)
    for plant in PLANTS:
        assert score.seen[plant] > 250
        assert score.share(plant) >= 0.99, [example for example in score.examples if example[0] == plant]
    assert score.share("") <= 0.02, [example for example in score.examples if example[0] == "rewrite"]


@pytest.mark.parametrize("fault", ["values_fault", "periods_fault", "polarity_fault"])
def test_the_corpus_tells_when_a_check_is_missing(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"claims.atoms.{fault}", lambda *_: None)
    score = scored(400, seed=11)
    assert min(score.share(plant) for plant in PLANTS) < 0.97


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "There were no transfers in the years ended December 31, 2019 and 2019.",
            "There were no transfers in the years ended December 31, 2019 and 2018.",
        ),
        ("Amounts paid in 2019 were not $3,800.", "Amounts paid in 2019 were $3,800."),
        ("We did identify any material differences.", "We did not identify any material differences."),
        ("贷款金额得超过您申请时的现金价值。", "贷款金额不得超过您申请时的现金价值。"),
        ("对无法核实的部分，保险人承担赔偿责任。", "对无法核实的部分，保险人不承担赔偿责任。"),
        ("The data is applicable to the Group.", "The data is not applicable to the Group."),
        ("The borrower may prepay without penalty.", "The borrower cannot prepay without penalty."),
        ("身故保险金为五万元。", "身故保险金为十万元，医疗保险金为五万元。"),
        ("Net income was $5 million.", "The Group had $5 million of revenue and $2 million of net income."),
        ("保险期间自2023年1月1日起至2023年1月1日止。", "保险期间自2023年1月1日起至2024年1月1日止。"),
    ],
)
def test_turned_sentences_are_caught(statement: str, said: str) -> None:
    assert not verify(statement, [Evidence(said)]).is_supported
    assert verify(said, [Evidence(said)]).is_supported


def test_a_number_of_the_sentence_next_door_is_not_lent() -> None:
    said = Evidence("The waiting period is 21 days. A notice period of 10 days applies.")
    assert verify("A waiting period of 10 days applies.", [said]).status is Status.CONTRADICTED
    assert verify("A notice period of 10 days applies.", [said]).is_supported
    assert not verify("营业收入增长5%，净利润下降5%。", [Evidence("营业收入增长5%，净利润增长5%。总资产下降5%。")]).is_supported
