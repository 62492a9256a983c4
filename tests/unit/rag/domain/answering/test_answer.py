"""The extractive answerer: what it quotes, what it refuses, and the figures it must reach on generated documents."""

from hashlib import sha256

import pytest
from rag.domain.answering import answer
from rag.domain.retrieval import Passage

from bench.answers import generated
from bench.answers_corpus import chinese
from bench.answers_english import english
from tests.unit.rag.domain.answering.passages import passage

WAIT = passage("自本合同生效之日起90日内为等待期。等待期内确诊疾病的，我们退还已交保险费。", heading="1. 等待期")
GRACE = passage("约定交费日次日零时起60日为宽限期。", heading="2. 宽限期", number=1)
OUT = passage(
    "因下列情形之一造成身故的，我们不承担责任：（一）投保人故意杀害；（二）酒后驾驶机动车；（三）战争。", heading="3. 责任免除", number=2
)
OTHER = passage("自本合同生效之日起30日内为等待期。", title="海岳守护医疗保险条款", heading="1. 等待期", number=3)
TABLE = passage(
    "营业收入 | 1,496.5 | 1,202.9\n净利润 | 44.1 | 56.7",
    title="江城银行2023年年度报告",
    table_header="单位：百万元\n项目 | 2023年 | 2022年",
    number=4,
)
ALL = [WAIT, GRACE, OUT, OTHER, TABLE]


def quoted(question: str, passages: list[Passage]) -> list[str]:
    return [sentence.text for sentence in answer(question, passages).sentences]


def test_an_answer_quotes_with_a_citation_that_holds() -> None:
    (sentence, *_) = answer("江城安心医疗保险的等待期是多少天？", ALL).sentences
    (citation,) = sentence.citations
    assert sentence.text == "自本合同生效之日起90日内为等待期。" == WAIT.text[citation.start : citation.end]
    assert citation.passage == WAIT.id and citation.text_sha256 == sha256(WAIT.text.encode()).digest()


def test_a_cell_is_cited_by_row_and_column() -> None:
    (sentence,) = answer("江城银行2022年净利润是多少？", ALL).sentences
    assert sentence.text == "净利润 | 44.1 | 56.7"
    assert sentence.citations[0].cell == "净利润 / 2022年"


def test_a_list_is_quoted_whole() -> None:
    assert "".join(quoted("江城安心医疗保险的责任免除有哪些情形？", ALL)) == OUT.text


@pytest.mark.parametrize(
    "question",
    [
        "江城安心医疗保险的犹豫期是几天？",
        "东岭无忧医疗保险的等待期是多少天？",
        "江城银行2021年净利润是多少？",
        "江城安心医疗保险第十二条规定的等待期是多少天？",
        "火星基地什么时候建成？",
    ],
)
def test_what_the_passages_do_not_say_is_refused(question: str) -> None:
    assert quoted(question, ALL) == []


def test_another_product_does_not_answer() -> None:
    assert quoted("江城安心医疗保险的等待期是多少天？", [GRACE, OUT, OTHER]) == []
    assert quoted("海岳守护医疗保险的等待期是多少天？", ALL) == [OTHER.text]


def test_no_passage_no_answer() -> None:
    assert answer("等待期是多少天？", []).lacking == "no passage"


def test_questions_are_answered_and_hidden_ones_refused() -> None:
    scores = [generated(36, 5, made) for made in (chinese, english)]
    assert sum(score.questions for score in scores) >= 500
    for score in scores:
        assert score.right >= 0.8 * score.questions, score.lacking
        assert score.refused >= 0.9 * score.questions, [example for example in score.examples if example[0] == "not refused"][:20]


def test_an_item_is_quoted_with_what_leads_to_it() -> None:
    """酒后驾驶 alone would say nothing of whether it is covered."""
    long = passage(
        "因下列情形之一造成身故的，我们不承担责任：\n（一）投保人故意杀害；\n（二）酒后驾驶机动车；\n（三）战争。", heading="3. 责任免除"
    )
    found = quoted("酒后驾驶赔不赔？", [long])
    assert found[0] == "因下列情形之一造成身故的，我们不承担责任：" and "（二）酒后驾驶机动车；" in found


@pytest.mark.parametrize(
    ("question", "text", "heading"),
    [
        (
            "江城安心医疗保险有哪些责任免除？",
            "第七条 责任免除\n因下列情形之一导致身故的，我们不承担责任：\n（一）故意杀害；\n（二）吸毒；\n（三）战争。",
            "第七条 责任免除",
        ),
        ("责任免除有哪些？", "第七条 责任免除\n（一）故意杀害；\n（二）吸毒；\n（三）战争。", "第七条 责任免除"),
        (
            "What are the exclusions?",
            "Section 7 Exclusions\nWe do not pay for any of the following:\n(a) war and riot;\n(b) wilful misconduct;\n(c) wear.",
            "Section 7 Exclusions",
        ),
    ],
)
def test_a_list_that_stands_below_its_heading_is_quoted_with_all_its_items(question: str, text: str, heading: str) -> None:
    one = passage(text, heading=heading)
    found = answer(question, [one]).sentences
    assert [sentence.text.strip() for sentence in found] == text.split("\n")
    assert all(one.text[cited.start : cited.end] == sentence.text for sentence in found for cited in sentence.citations)
