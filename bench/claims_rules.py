"""Terms and rules of products, and tables, for the corpus of claims."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from claims import Evidence

from bench import claims_writing as write
from bench.claims_corpus import COMPANIES, Story, whole_wrong, wrong

_SPANS = ("等待期", "宽限期", "犹豫期", "理赔申请期限", "保单贷款期限", "质量保证期", "复效申请期")
_SPANS_EN = ("waiting period", "grace period", "cooling-off period", "notice period", "survival period", "claims filing period")
_SUMS = ("身故保险金", "住院医疗保险金", "年度免赔额", "意外伤残保险金", "门诊给付限额", "重大疾病保险金")
_SUMS_EN = ("death benefit", "hospital benefit", "annual deductible", "disability benefit", "outpatient limit", "critical illness benefit")
_RATES = ("固定年利率", "逾期罚息利率", "最低结算利率", "贷款管理费率", "提前还款违约金比例")
_RATES_EN = ("annual interest rate", "default rate", "management fee", "minimum crediting rate", "front-end fee")
_RULES = (  # subject, predicate; affirmed and denied, duty and its turn
    ("保险人", "承担给付保险金的责任", ("不承担给付保险金的责任", "不予承担给付保险金的责任")),
    ("投保人", "应当在变更住所后通知保险人", ("可以在变更住所后通知保险人", "无需在变更住所后通知保险人")),
    ("被保险人", "有权单方解除本合同", ("无权单方解除本合同", "不得单方解除本合同")),
    ("受益人", "可以一次性领取养老金", ("不可以一次性领取养老金", "不得一次性领取养老金")),
    ("借款人", "可以提前归还贷款本金", ("不可提前归还贷款本金", "不得提前归还贷款本金")),
    ("本行", "对逾期部分计收复利", ("不对逾期部分计收复利", "不再对逾期部分计收复利")),
    ("客户经理", "必须双人现场核实抵押物", ("可以双人现场核实抵押物", "无须双人现场核实抵押物")),
    ("本合同", "提供保证续保条款", ("不提供保证续保条款", "没有提供保证续保条款")),
    ("持卡人", "需要支付年费", ("无需支付年费", "不需要支付年费")),
    ("本产品", "属于保本型理财产品", ("不属于保本型理财产品", "并非属于保本型理财产品")),
    ("账户余额", "计入风险准备金", ("不计入风险准备金", "未计入风险准备金")),
)
_RULES_EN = (
    ("The insurer", "covers losses caused by flood", ("does not cover losses caused by flood", "never covers losses caused by flood")),
    (
        "The borrower",
        "may prepay the loan without penalty",
        ("may not prepay the loan without penalty", "cannot prepay the loan without penalty"),
    ),
    (
        "The policyholder",
        "must notify the insurer of a change of address",
        ("may notify the insurer of a change of address", "need not notify the insurer of a change of address"),
    ),
    (
        "The Bank",
        "charges interest on overdue amounts",
        ("does not charge interest on overdue amounts", "no longer charges interest on overdue amounts"),
    ),
    ("The beneficiary", "is entitled to a lump sum", ("is not entitled to a lump sum", "is never entitled to a lump sum")),
    ("The contract", "provides a guarantee of renewal", ("does not provide a guarantee of renewal", "provides no guarantee of renewal")),
    ("The fee", "is refundable after cancellation", ("is not refundable after cancellation", "is non-refundable after cancellation")),
    ("The dividend", "was approved by the board", ("was not approved by the board", "was rejected by the board")),
    (
        "Trustees",
        "shall disclose conflicts of interest",
        ("shall not disclose conflicts of interest", "may disclose conflicts of interest"),
    ),
)


def terms_zh(random: Random) -> Story:
    """Spans, sums and rules of an insurance product."""
    spans = {name: random.choice((5, 7, 10, 15, 20, 30, 45, 60, 90, 180)) for name in random.sample(_SPANS, 3)}
    sums = {name: Decimal(random.randrange(1, 999)) * 10 ** random.choice((2, 3, 4, 5)) for name in random.sample(_SUMS, 3)}
    rates = {name: Decimal(random.randrange(5, 1800)) / 100 for name in random.sample(_RATES, 3)}
    rules = [(who, *random.sample((does, random.choice(turned)), 2)) for who, does, turned in random.sample(_RULES, 3)]
    begin = (random.randrange(2018, 2026), random.randrange(1, 13), random.randrange(1, 29))
    end = (begin[0] + random.choice((1, 2, 3)), begin[1], begin[2])

    def span(random: Random, name: str, days: str) -> str:
        return random.choice((f"本产品{name}为{days}", f"{name}为{days}", f"本合同的{name}为{days}"))

    def total(random: Random, name: str, money: str) -> str:
        return random.choice((f"{name}为{money}", f"每人{name}为{money}", f"本合同约定的{name}为{money}"))

    def date(random: Random, name: str, when: tuple[int, int, int]) -> str:
        return f"本合同自{write.day(random, *when, chinese=True)}零时起{name}"

    lines = [span(random, name, write.days(random, days, chinese=True)) for name, days in spans.items()]
    lines += [total(random, name, write.money(random, money)) for name, money in sums.items()]
    lines += [f"{name}为{write.rate(random, rate, chinese=True, points=True)}" for name, rate in rates.items()]
    lines += [f"{who}{does}" for who, does, _ in rules] + [date(random, "生效", begin), date(random, "终止", end)]
    random.shuffle(lines)
    evidence = Evidence("。".join(lines) + "。", title="团体医疗保险条款", headings=("第二章 保险责任",))

    def says(random: Random, plant: str) -> str | None:
        kind = {"period": "date", "negation": "rule"}.get(plant) or random.choice(
            ("span", "sum", "rate") if plant else ("span", "sum", "rate", "rule", "date")
        )
        if kind == "rule":
            who, does, turned = random.choice(rules)
            return f"{who}{turned if plant else does}。"
        if kind == "date":
            name, when, other = random.choice((("生效", begin, end), ("终止", end, begin)))
            if plant:
                when = random.choice(
                    (other, (when[0] + 1, *when[1:]), (when[0], when[1] % 12 + 1, when[2]), (when[0], when[1], when[2] % 28 + 1))
                )
            return date(random, name, when) + "。"
        if kind == "rate":
            name, rate = random.choice(list(rates.items()))
            shown = write.rate(random, wrong(random, rate, list(rates.values())) if plant == "number" else rate, chinese=True, points=True)
            shown = f"{write.plain(rate)}{random.choice(('‰', '倍', 'BP', '元'))}" if plant == "unit" else shown
            return f"{name}为{shown}。"
        if kind == "span":
            name, days = random.choice(list(spans.items()))
            if plant == "unit":
                return span(random, name, f"{days}{random.choice(('个月', '年', '周', '个工作日', '小时'))}") + "。"
            return (
                span(random, name, write.days(random, whole_wrong(random, days, list(spans.values())) if plant else days, chinese=True))
                + "。"
            )
        name, money = random.choice(list(sums.items()))
        if plant == "unit":
            return total(random, name, f"{write.plain(money / 10_000)}{random.choice(('亿元', '元', '万美元', '千元'))}") + "。"
        return total(random, name, write.money(random, wrong(random, money, list(sums.values())) if plant else money)) + "。"

    return Story(evidence, says)


def terms_en(random: Random) -> Story:
    """The same in English."""
    spans = {name: random.choice((5, 7, 10, 14, 21, 30, 45, 60, 90, 180)) for name in random.sample(_SPANS_EN, 3)}
    sums = {name: Decimal(random.randrange(1, 999)) * 10 ** random.choice((2, 3, 4)) for name in random.sample(_SUMS_EN, 3)}
    rates = {name: Decimal(random.randrange(5, 1800)) / 100 for name in random.sample(_RATES_EN, 3)}
    rules = [(who, *random.sample((does, random.choice(turned)), 2)) for who, does, turned in random.sample(_RULES_EN, 3)]
    begin = (random.randrange(2018, 2026), random.randrange(1, 13), random.randrange(1, 29))
    end = (begin[0] + random.choice((1, 2, 3)), begin[1], begin[2])

    def span(random: Random, name: str, days: str) -> str:
        return random.choice((f"The {name} is {days}", f"A {name} of {days} applies"))

    def total(random: Random, name: str, money: str) -> str:
        return random.choice((f"The {name} is {money}", f"The {name} amounts to {money} per person"))

    def date(random: Random, name: str, when: tuple[int, int, int]) -> str:
        return f"The policy {name} on {write.day(random, *when, chinese=False)}"

    lines = [span(random, name, write.days(random, days, chinese=False)) for name, days in spans.items()]
    lines += [total(random, name, write.dollars(random, money)) for name, money in sums.items()]
    lines += [f"The {name} is {write.rate(random, rate, chinese=False, points=True)}" for name, rate in rates.items()]
    lines += [f"{who} {does}" for who, does, _ in rules] + [date(random, "takes effect", begin), date(random, "terminates", end)]
    random.shuffle(lines)
    evidence = Evidence(". ".join(lines) + ".", title="Group policy", headings=("2 Benefits",))

    def says(random: Random, plant: str) -> str | None:
        kind = {"period": "date", "negation": "rule"}.get(plant) or random.choice(
            ("span", "sum", "rate") if plant else ("span", "sum", "rate", "rule", "date")
        )
        if kind == "rule":
            who, does, turned = random.choice(rules)
            return f"{who} {turned if plant else does}."
        if kind == "date":
            name, when, other = random.choice((("takes effect", begin, end), ("terminates", end, begin)))
            if plant:
                when = random.choice(
                    (other, (when[0] + 1, *when[1:]), (when[0], when[1] % 12 + 1, when[2]), (when[0], when[1], when[2] % 28 + 1))
                )
            return date(random, name, when) + "."
        if kind == "rate":
            name, rate = random.choice(list(rates.items()))
            shown = write.rate(random, wrong(random, rate, list(rates.values())) if plant == "number" else rate, chinese=False, points=True)
            shown = f"{write.plain(rate)}{random.choice((' basis points', ' times', ' dollars'))}" if plant == "unit" else shown
            return f"The {name} is {shown}."
        if kind == "span":
            name, days = random.choice(list(spans.items()))
            if plant == "unit":
                return span(random, name, f"{days} {random.choice(('months', 'years', 'weeks', 'business days', 'hours'))}") + "."
            return (
                span(random, name, write.days(random, whole_wrong(random, days, list(spans.values())) if plant else days, chinese=False))
                + "."
            )
        name, money = random.choice(list(sums.items()))
        if plant == "unit":
            return total(random, name, f"{random.choice(('€', '£', 'RMB', 'HK$'))}{write.grouped(money)}") + "."
        return total(random, name, write.dollars(random, wrong(random, money, list(sums.values())) if plant else money)) + "."

    return Story(evidence, says)


def table(random: Random) -> Story:
    """A table of figures by year, its unit in a caption, in either language and either way of writing rows."""
    chinese = random.random() < 0.5
    year = random.randrange(2015, 2025)
    names = random.sample(
        ("利息收入", "手续费收入", "投资收益", "汇兑损益", "其他业务收入")
        if chinese
        else ("Interest income", "Fee income", "Trading gains", "Insurance premiums", "Rental income"),
        4,
    )
    factor = Decimal(random.choice((10_000, 1_000_000, 100_000_000) if chinese else (1_000, 1_000_000)))
    grid = {(name, when): Decimal(random.randrange(101, 99_999)) / 10 for name in names for when in (year, year - 1, year - 2)}
    caption = {
        10_000: "单位:万元",
        1_000_000: "单位:人民币百万元" if chinese else "(in millions of dollars)",
        100_000_000: "单位:亿元",
        1_000: "(in thousands of dollars)",
    }[int(factor)]
    years = [year, year - 1, year - 2]
    outer = random.random() < 0.5
    rows = [["项目" if chinese else "Item", *(f"{when}年" if chinese else str(when) for when in years)]]
    rows += [[name, *(write.grouped(grid[name, when]) for when in years)] for name in names]
    text = "\n".join(("| " + " | ".join(row) + " |") if outer else " | ".join(row) for row in rows)
    evidence = Evidence(f"{caption}\n{text}", title=f"{random.choice(COMPANIES)}年报" if chinese else "Annual report")

    def says(random: Random, plant: str) -> str | None:
        name, when = random.choice(names), random.choice(years)
        amount, stated = grid[name, when] * factor, when
        if plant == "number":
            amount = wrong(random, amount, [value * factor for value in grid.values()])
        if plant == "period":
            stated = random.choice(
                [other for other in (*years, year + 1) if other != when and (grid.get((name, other)) != grid[name, when])]
            )
        money = write.money(random, amount) if chinese else write.dollars(random, amount)
        if plant == "unit":
            shown = write.plain(grid[name, when])
            words = {"元", "万元", "亿元", "万美元"} - {{10_000: "万元", 100_000_000: "亿元"}.get(int(factor), "")}
            money = (
                f"{shown}{random.choice(sorted(words))}"
                if chinese
                else random.choice((f"${shown}", f"${shown} billion", f"€{write.grouped(amount)}"))
            )
        if plant == "negation":
            return None
        period = write.period(random, stated, "", chinese=chinese)
        return f"{period}{name}为{money}。" if chinese else f"{name} was {money} in {period}."

    return Story(evidence, says)
