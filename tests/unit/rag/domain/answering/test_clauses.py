"""All clauses of a kind, endorsements over base clauses, and two versions clause by clause."""

import pytest
from rag.domain.answering import compare
from rag.domain.answering.clauses import Clause, Kind, canonical, endorsed, every, listed, replaced
from rag.domain.answering.compare import Difference

from tests.unit.rag.domain.answering.passages import passage

TERMS = [
    passage("第一条 本合同由保险条款、保险单组成。", number=0, clause="第一条"),
    passage("第五条 被保险人住院的，我们按约定给付保险金。", number=1, heading="保险责任", clause="第五条"),
    passage("第六条 因下列情形之一的，我们不承担给付保险金的责任：\n（一）故意犯罪；", number=2, heading="责任免除", clause="第六条"),
    passage("（二）酒后驾驶；\n（三）战争、军事冲突。", number=3, heading="责任免除", clause="第六条"),
    passage("第七条 下列费用我们不负责给付：美容、整形费用。", number=4, heading="责任免除", clause="第七条"),
    passage("第十九条 被保险人有下列行为之一的，我们不承担给付保险金的责任：未如实告知。", number=5, heading="其他事项", clause="第十九条"),
    passage("第二十条 周岁：指按有效身份证件计算的年龄。", number=6, heading="释义", clause="第二十条"),
]


def test_every_exclusion_is_listed_with_its_clause() -> None:
    found = listed(TERMS, Kind.EXCLUSION)
    assert [(one.number, one.citation.passage.ordinal) for one in found] == [("第六条", 2), ("第六条", 3), ("第七条", 4), ("第十九条", 5)]
    assert all(one.text == TERMS[one.citation.passage.ordinal].text for one in found)
    assert all((one.citation.start, one.citation.end) == (0, len(one.text)) for one in found)


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("第三章 除外责任", "5.1 核辐射。"),
        ("免责条款", "一、战争。"),
        ("Part B > Exclusions", "4.1 War."),
        ("What is not covered", "Flood."),
        ("", "第九条 责任免除 因下列原因造成的损失，保险人不负责赔偿：（一）战争。"),
        ("", "4.2 The insurer will not pay for any of the following: war."),
    ],
)
def test_headings_and_beginnings_that_exclude(heading: str, text: str) -> None:
    assert len(listed([passage(text, heading=heading)], Kind.EXCLUSION)) == 1


@pytest.mark.parametrize(
    ("heading", "text"),
    [("保险责任", "我们不承担重复给付。"), ("释义", "责任免除：指保险人不承担责任的情形。"), ("争议处理", "协商不成的，提交仲裁。")],
)
def test_what_excludes_nothing(heading: str, text: str) -> None:
    assert listed([passage(text, heading=heading)], Kind.EXCLUSION) == []


def test_other_kinds() -> None:
    assert [one.number for one in listed(TERMS, Kind.COVERAGE)] == ["第五条"]
    assert [one.number for one in listed(TERMS, Kind.DEFINITION)] == ["第二十条"]
    assert [one.number for one in listed(TERMS, Kind.HEADING, "其他 事项")] == ["第十九条"]


def test_an_endorsement_comes_first_and_marks_what_it_changes() -> None:
    rider = [passage("第一条 本批单将主合同第六条修改为：我们不承担酒后驾驶、吸毒造成的责任。", title="批单", document="rider")]
    own = [Clause("第一条", rider[0].text, listed(TERMS, Kind.EXCLUSION)[0].citation, endorsement="rider")]
    found = endorsed(listed(TERMS, Kind.EXCLUSION), [("rider", rider)], own)
    assert [(one.number, one.endorsement, one.replaced_by) for one in found] == [
        ("第一条", "rider", ""),
        ("第六条", "", "rider"),
        ("第六条", "", "rider"),
        ("第七条", "", ""),
        ("第十九条", "", ""),
    ]


def test_clauses_that_a_rider_names() -> None:
    assert replaced("本批单删除第七条；将2.3条变更为下述内容。第八条不受影响。Section 4.1 is replaced.") == ["7", "2.3", "4.1"]
    assert canonical("第十二条") == canonical("Article 12") == canonical("12") == "12"


def test_a_clause_that_was_cut_is_compared_whole() -> None:
    whole = passage(
        "第六条 因下列情形之一的，我们不承担给付保险金的责任：（一）故意犯罪；（二）酒后驾驶；（三）战争、军事冲突。",
        number=2,
        heading="责任免除",
        clause="第六条",
    )
    assert [one.number for one in every(TERMS)] == ["第一条", "第五条", "第六条", "第七条", "第十九条", "第二十条"]
    assert compare.compare(every(TERMS), every([*TERMS[:2], whole, *TERMS[4:]])) == compare.Comparison((), 6)


def clause(number: str, text: str) -> Clause:
    (found,) = listed([passage(f"{number} {text}", heading="x", clause=number)], Kind.HEADING, "x")
    return found


OLD = [
    clause("第一条", "等待期为90日。"),
    clause("第二条", "宽限期为60日。"),
    clause("第三条", "争议提交仲裁。"),
    clause("第四条", "被保险人应当通知保险人变更住所。"),
    clause("第五条", "战争不赔。"),
]
NEW = [
    clause("第一条", "等待期为60日。"),
    clause("第二条", "犹豫期为15日。"),
    clause("第三条", "宽限期为60日。"),
    clause("第四条", "被保险人可以通知保险人变更住所。"),
    clause("第六条", "争议提交仲裁。"),
]


def test_versions_are_compared_clause_by_clause() -> None:
    found = compare.compare(OLD, NEW)
    assert [(one.kind, one.left and one.left.number, one.right and one.right.number, one.values) for one in found.changes] == [
        (Difference.CHANGED, "第一条", "第一条", ("90日 → 60日",)),
        (Difference.ADDED, None, "第二条", ()),
        (Difference.MOVED, "第二条", "第三条", ()),
        (Difference.CHANGED, "第四条", "第四条", ("must → may",)),
        (Difference.REMOVED, "第五条", None, ()),
        (Difference.MOVED, "第三条", "第六条", ()),
    ]
    assert found.equal == 0


def test_a_version_differs_from_itself_in_nothing() -> None:
    assert compare.compare(OLD, OLD) == compare.Comparison((), len(OLD))


def test_writing_is_no_change() -> None:
    assert compare.compare([clause("第一条", "等待期为 90日。")], [clause("第1条", "等待期为９０日。")]).equal == 1


def test_a_negation_that_came_is_told() -> None:
    (change,) = compare.compare([clause("第五条", "我们承担战争造成的责任。")], [clause("第五条", "我们不承担战争造成的责任。")]).changes
    assert change.values == ("— → 不承担",)
