"""The extractive answerer: what it quotes, what it refuses, and the figures it must reach on generated documents."""

from dataclasses import replace
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


EXCLUDED = "第七条 责任免除\n因下列情形之一导致身故的，我们不承担给付保险金的责任：\n（一）投保人故意杀害；\n（二）吸毒；\n（三）战争。"
GOES_ON = "（四）核爆炸；\n（五）酒后驾驶。"
BENEFIT = "第五条 保险责任\n我们承担下列保险责任：（一）身故保险金；（二）医疗保险金。"
ENGLISH = "Section 7 Exclusions\nWe do not pay for any of the following:\n(a) war and riot;\n(b) wilful misconduct;\n(c) wear."


@pytest.mark.parametrize(
    "question",
    [
        "哪些情形不赔？",
        "列出所有免责条款",
        "什么情况下保险公司不赔？",
        "江城安心医疗保险有哪些免责条款？",
        "江城安心医疗保险不保什么？",
        "请列举《江城安心医疗保险条款》的全部除外责任。",
        "What is not covered?",
        "List all exclusions",
        "What does the policy exclude?",
        "Which losses are not covered by this policy?",
    ],
)
def test_what_is_excluded_is_quoted_by_whatever_name_it_is_asked_for(question: str) -> None:
    chinese_asked = not question.isascii()
    text, title = (EXCLUDED, "江城安心医疗保险条款") if chinese_asked else (ENGLISH, "Home Insurance Policy")
    one = passage(text, title=title, heading="第三章 责任免除" if chinese_asked else "Section 7 Exclusions", number=7)
    covers = passage(BENEFIT, title=title, heading="第二章 保险责任", number=5)
    found = answer(question, [covers, one])
    assert [sentence.text.strip() for sentence in found.sentences] == text.split("\n")
    assert all(one.text[cited.start : cited.end] == sentence.text for sentence in found.sentences for cited in sentence.citations)
    assert [each.reason for each in found.warnings] == ["LIST_INCOMPLETE"], "only found passages were looked at"
    assert not answer(question, [covers]).sentences


@pytest.mark.parametrize(
    "question", ["东岭无忧医疗保险哪些情形不赔？", "火星基地哪些情形不赔？", "等待期内哪些疾病不赔？", "What is excluded from net revenue?"]
)
def test_exclusions_of_something_else_are_refused(question: str) -> None:
    assert not answer(question, [passage(EXCLUDED, heading="第三章 责任免除", number=7)]).sentences


@pytest.mark.parametrize("items", ["（三）医疗费用发票；\n（四）出院小结。", "3. 医疗费用发票。\n4. 出院小结。"])
def test_a_list_goes_on_in_the_next_passage(items: str) -> None:
    question, heading = "申请理赔须提交哪些材料？", "第五章 理赔"
    first = passage("申请理赔须提交下列材料：\n（一）保险合同；\n（二）身份证明；", heading=heading, number=7)
    after = replace(passage(f"{items}\n本条完。", heading=heading, number=8), added=True)
    beyond = replace(passage("（五）死亡证明。", heading=heading, number=9), added=True)
    found = answer(question, [first, beyond, after])
    shown = "".join(each.text for each in found.sentences)
    assert shown.endswith("出院小结。") and not found.warnings, "until something else stands there"
    assert {cited.passage.ordinal for each in found.sentences for cited in each.citations} == {7, 8}
    of_another = passage(items, title="海岳守护医疗保险条款", heading=heading, number=8)
    for other in (replace(after, chunk=replace(after.chunk, version_id=2)), passage(items, heading="第六章 其他", number=8), of_another):
        alone = answer(question, [first, other])
        assert {cited.passage.ordinal for each in alone.sentences for cited in each.citations} == {7}


def test_what_only_stands_beside_is_no_answer() -> None:
    assert not answer("江城安心医疗保险的等待期是多少天？", [replace(WAIT, added=True)]).sentences


@pytest.mark.parametrize(("items", "cut"), [(39, False), (40, True), (60, True)])
def test_a_list_that_is_cut_says_so(items: int, cut: bool) -> None:
    text = "申请理赔须提交下列材料：\n" + "\n".join(f"（{number}）材料{number}；" for number in range(1, items + 1))
    found = answer("申请理赔须提交哪些材料？", [passage(text)])
    assert len(found.sentences) == min(items + 1, 40)
    assert [each.reason for each in found.warnings] == (["LIST_INCOMPLETE"] if cut else [])
    assert not cut or "ListClauses" in found.warnings[0].message


@pytest.mark.parametrize("question", ["等待期是多久？", "等待期有多少天？", "什么是等待期？"])
def test_the_title_of_a_clause_is_not_quoted_for_what_it_says(question: str) -> None:
    titled = passage("第六条 等待期\n自本合同生效之日起90日内为等待期。", heading="第二章 保险责任")
    assert quoted(question, [titled]) == ["自本合同生效之日起90日内为等待期。"]
    alone = passage("第六条 等待期为90日", heading="第二章 保险责任")
    assert quoted(question, [alone]) == ["第六条 等待期为90日"]


SINGLE = "对单一客户的授信余额不得超过资本净额的10%，对单一集团客户不得超过资本净额的15%。"
ESTATE = "对房地产行业的授信余额占各项贷款的比例不得超过25%，超过22%时启动预警。"


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("单一客户的授信限额是多少？", SINGLE),
        ("单户授信集中度上限是多少？", SINGLE),
        ("单一集团客户的授信上限是多少？", SINGLE),
        ("房地产行业的限额是多少？", ESTATE),
    ],
)
def test_a_limit_is_a_share_or_an_amount_and_that_of_whom_it_is_asked(question: str, text: str) -> None:
    clauses = [passage(each, "授信集中度管理办法", "第二章 集中度限额", place) for place, each in enumerate((ESTATE, SINGLE))]
    for ranked in (clauses, clauses[::-1]):
        assert quoted(question, ranked) == [text]
    amount = passage("附加医疗保险的赔付限额为50万元。", "授信集中度管理办法", "第四章 限额", 7)
    assert quoted("附加医疗保险的赔付限额是多少？", [*clauses, amount]) == [amount.text]
