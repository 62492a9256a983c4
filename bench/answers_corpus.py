"""Documents as banks and insurers have them, with questions whose answers stand in one passage each. Chinese and English; the seed is the
corpus.

Many products share their clauses word for word but for names and numbers, so that what is like the answer is always there when the answer
is
not. Questions are worded apart from the clauses they ask about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Clause:
    """A passage: heading, text, and questions about it."""

    heading: str
    text: str
    questions: tuple[str, ...]
    table_header: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its clauses in order."""

    title: str
    clauses: tuple[Clause, ...]


@dataclass
class Corpus:
    """Documents, and (question, document's place, clause's place)."""

    documents: list[Document] = field(default_factory=list)

    def questions(self, random: Random) -> Iterator[tuple[str, int, int]]:
        """Yield one question for each clause that has some, documents and clauses in order."""
        for place, document in enumerate(self.documents):
            for number, clause in enumerate(document.clauses):
                if clause.questions:
                    yield random.choice(clause.questions).format(name=document.title.removesuffix("条款")), place, number


Made = Callable[[Random], tuple[str, str, tuple[str, ...]]]

_BRANDS = ("江城", "海岳", "东岭", "北辰", "云港", "金穗", "长河", "安和", "瑞丰", "明德", "同舟", "嘉禾")
_STYLES = ("安心", "守护", "康宁", "福佑", "惠民", "尊享", "如意", "畅行", "无忧", "臻选")
_KINDS = ("团体医疗保险", "终身寿险", "重大疾病保险", "养老年金保险", "意外伤害保险", "两全保险")
_LOANS = ("经营贷款", "住房按揭贷款", "信用消费贷款", "科创企业贷款")


def _insurance(random: Random) -> list[tuple[str, str, tuple[str, ...]]]:
    pick = random.choice
    wait, grace, cooling = pick((30, 60, 90, 180)), pick((30, 60)), pick((10, 15, 20))
    low, high, share, deductible = pick((0, 16, 18)), pick((55, 60, 65, 70)), pick((60, 70, 80, 90)), pick((5, 10, 20)) * 1000
    limit = pick((100, 200, 300, 600))
    return [
        (
            "等待期",
            f"自本合同生效之日起{wait}日内为等待期。被保险人在等待期内确诊疾病的，我们退还已交保险费，本合同终止。",
            ("{name}的等待期是多少天？", "{name}的等待期有多长时间？"),
        ),
        (
            "宽限期",
            f"分期支付保险费的，自约定交费日次日零时起{grace}日为宽限期。宽限期内发生保险事故，我们仍承担责任，但扣减欠交的保险费。",
            ("{name}的宽限期是几天？", "{name}的宽限期多久？"),
        ),
        (
            "犹豫期",
            f"自您签收本合同之日起，有{cooling}日的犹豫期。在此期间您可以提出解除合同，我们全额无息退还已交保险费。",
            ("{name}的犹豫期有几天？", "购买{name}后，犹豫期是多久？"),
        ),
        (
            "投保年龄",
            f"本产品接受的投保年龄为{low}周岁至{high}周岁，以有效身份证件登记的出生日期计算。",
            ("{name}的投保年龄最高是多少周岁？", "{name}多少岁可以投保？"),
        ),
        (
            "免赔额与给付比例",
            f"每一保险年度的免赔额为{deductible}元，超过部分我们按{share}%的比例给付医疗保险金。",
            ("{name}的年度免赔额是多少元？", "{name}超过免赔额的部分按什么比例给付？"),
        ),
        (
            "给付限额",
            f"医疗保险金的年度累计给付限额为{limit}万元，达到限额后该项责任终止。",
            ("{name}医疗保险金一年最多给付多少万元？", "{name}的年度累计给付限额是多少？"),
        ),
        *_claims(random),
    ]


def _claims(random: Random) -> list[tuple[str, str, tuple[str, ...]]]:
    pick = random.choice
    claim, loan, revive, survive = pick((10, 15)), pick((180, 360)), pick((1, 2)), pick((7, 14, 28))
    return [
        (
            "保险金给付",
            f"我们在收到索赔申请书及证明资料后{claim}日内作出核定；情形复杂的，在三十日内作出核定。",
            ("{name}收到索赔申请后几天内作出核定？", "{name}的索赔核定需要多少天？"),
        ),
        (
            "保单贷款",
            f"您可以凭现金价值申请保单贷款，每次贷款期限最长不超过{loan}日，贷款金额不超过现金价值净额的80%。",
            ("{name}的保单贷款期限最长多少天？", "{name}每次保单贷款可以借多久？"),
        ),
        (
            "效力恢复",
            f"合同效力中止后{revive}年内，您可以书面申请恢复效力，经双方协商并补交保险费后恢复。",
            ("{name}效力中止后几年内可以申请恢复？", "{name}合同中止以后，多久之内能申请复效？"),
        ),
        (
            "责任免除",
            "因下列情形之一造成被保险人身故的，我们不承担给付保险金的责任：（一）投保人故意杀害；（二）酒后驾驶机动车；（三）战争、暴乱；（四）核爆炸、核辐射。",
            ("{name}的责任免除包括哪些情形？", "被保险人酒后驾驶身故，{name}赔吗？"),
        ),
        (
            "受益人",
            "您或者被保险人可以指定一人或数人为身故保险金受益人；未指定的，由被保险人的继承人领取。",
            ("{name}没有指定受益人时由谁领取身故保险金？", "{name}的身故受益人可以指定几个人吗？"),
        ),
        (
            "年龄错误",
            "投保人申报的年龄不真实，致使多交保险费的，我们无息退还多收部分；少交的，按实付与应付的比例给付。",
            ("{name}申报年龄有误导致多交了保险费怎么处理？",),
        ),
        ("争议处理", "因履行本合同发生争议，协商不成的，提交被告住所地有管辖权的人民法院诉讼解决。", ("{name}发生争议协商不成怎么解决？",)),
        (
            "医院",
            "医院指二级以上（含二级）公立医院普通部，不包括康复、疗养、戒毒及特需病房。",
            ("{name}所说的医院是指什么？", "{name}认可的医院包括疗养机构吗？"),
        ),
        (
            "生存给付",
            f"被保险人确诊后存活满{survive}日的，我们按基本保险金额给付生存关爱金。",
            ("{name}的生存关爱金要求确诊后存活满多少天？",),
        ),
    ]


def _loan(random: Random) -> list[tuple[str, str, tuple[str, ...]]]:
    pick = random.choice
    rate, late, amount, years = pick((3.45, 3.85, 4.2, 4.65, 5.1)), pick((30, 50)), pick((50, 100, 300, 500)), pick((3, 5, 10, 20))
    fee, notice, share, review = pick((1, 2, 3)), pick((10, 15, 30)), pick((60, 65, 70)), pick((5, 7, 10))
    return [
        ("贷款利率", f"本产品执行固定年利率{rate}%，按月计息，每月20日为结息日。", ("{name}的年利率是多少？", "{name}执行多高的利率？")),
        (
            "罚息",
            f"借款人未按期还款的，逾期部分在约定利率基础上加收{late}%的罚息，直至清偿为止。",
            ("{name}逾期加收多少罚息？", "{name}逾期罚息的比例是多少？"),
        ),
        ("贷款额度", f"单户授信额度最高不超过{amount}万元，可循环使用。", ("{name}单户额度最高多少万元？", "{name}的授信额度上限是多少？")),
        ("贷款期限", f"授信有效期最长{years}年，单笔提款期限不超过授信有效期。", ("{name}的授信有效期最长几年？",)),
        (
            "提前还款",
            f"借款人提前归还本金的，须提前{notice}日书面通知本行，并支付提前归还金额{fee}%的违约金。",
            ("{name}提前还款的违约金比例是多少？", "{name}提前还款需要提前多少天通知？"),
        ),
        (
            "担保要求",
            f"以房产抵押的，抵押率不超过评估价值的{share}%；保证担保须由本行认可的担保公司提供。",
            ("{name}的房产抵押率不超过多少？",),
        ),
        (
            "申请材料",
            "申请人应提交下列材料：（一）营业执照；（二）近两年财务报表；（三）纳税证明；（四）实际控制人身份证件。",
            ("申请{name}需要提交哪些材料？",),
        ),
        (
            "审批时限",
            f"材料齐全后，经办机构在{review}个工作日内完成审批并告知结果。",
            ("{name}审批需要几个工作日？", "{name}多久能批下来？"),
        ),
        (
            "资金用途",
            "贷款资金不得用于购买股票、期货，不得流入房地产开发领域，不得转借他人。",
            ("{name}的资金可以用来买股票吗？", "{name}的贷款资金不得用于哪些用途？"),
        ),
        ("放款条件", "办妥抵押登记、签署借款合同并缴存首期利息后，本行一次性将款项划入借款人账户。", ("{name}放款需要满足什么条件？",)),
    ]


def _report(random: Random, name: str, year: int) -> Document:
    metrics = random.sample(
        ("营业收入", "净利润", "利息净收入", "手续费收入", "研发费用", "客户存款总额", "不良贷款余额", "信用减值损失"), 6
    )
    clauses: list[Clause] = []
    header = f"主要财务数据 单位：百万元\n项目 | {year}年 | {year - 1}年"
    rows, asked = [], []
    for metric in metrics:
        rows.append(f"{metric} | {random.randrange(10_000, 999_999) / 10:,.1f} | {random.randrange(10_000, 999_999) / 10:,.1f}")
        asked.append(f"{{name}}披露的{random.choice((year, year - 1))}年{metric}是多少？")
    for metric, row, question in zip(metrics, rows, asked, strict=True):
        clauses.append(Clause(f"{metric}情况", f"项目 | {year}年 | {year - 1}年\n{row}", (question,), header))
    staff, branch, month = random.randrange(900, 30_000), random.randrange(20, 900), random.randrange(2, 9)
    clauses.append(
        Clause(
            "员工情况",
            f"截至{year}年末，本集团共有员工{staff:,}人，其中科技人员占比{random.randrange(5, 30)}%。",
            (f"{{name}}披露{year}年末共有多少名员工？",),
        )
    )
    clauses.append(Clause("机构网点", f"报告期末，本行设有分支机构{branch}家，覆盖全国主要城市。", ("{name}披露的分支机构有多少家？",)))
    clauses.append(
        Clause(
            "利润分配",
            f"董事会决议每10股派发现金股利{random.randrange(5, 60) / 10}元（含税），股权登记日为{year + 1}年{month}月18日。",
            ("{name}的股权登记日是什么时候？",),
        )
    )
    clauses.append(
        Clause("审计意见", "会计师事务所对本公司财务报表出具了标准无保留意见的审计报告。", ("{name}的财务报表被出具了什么审计意见？",))
    )
    return Document(f"{name}{year}年年度报告", tuple(clauses))


def chinese(random: Random, products: int) -> list[Document]:
    """Return terms of insurance and loan products, and annual reports."""
    found: list[Document] = []
    names = [f"{brand}{style}{kind}" for brand in _BRANDS for style in _STYLES for kind in _KINDS]
    for name in random.sample(names, products // 2):
        parts = random.sample(_insurance(random), 12)
        found.append(
            Document(
                name + "条款", tuple(Clause(f"{place}. {heading}", text, asked) for place, (heading, text, asked) in enumerate(parts, 1))
            )
        )
    loans = [f"{brand}银行{style}{kind}" for brand in _BRANDS for style in _STYLES for kind in _LOANS]
    for name in random.sample(loans, products // 3):
        parts = random.sample(_loan(random), 8)
        found.append(
            Document(name, tuple(Clause(f"{place}. {heading}", text, asked) for place, (heading, text, asked) in enumerate(parts, 1)))
        )
    found += [_report(random, f"{brand}银行", random.randrange(2019, 2025)) for brand in random.sample(_BRANDS, products - len(found))]
    return found
