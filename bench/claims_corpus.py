"""Statements with the passages they cite: rewritten correctly, or with one thing planted wrong. Half Chinese; the seed is the corpus.

A passage states several facts of one kind, so that a number of another fact, period or row is always at hand to be mistaken for the right
one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from claims import Evidence

from bench import claims_writing as write

PLANTS = ("number", "unit", "period", "negation")


@dataclass(frozen=True, slots=True)
class Sample:
    """One statement; ``plant`` says what is wrong with it, "" for nothing."""

    statement: str
    evidence: Evidence
    plant: str


@dataclass
class Story:
    """A passage, and how to state one of its facts: ``says(random, plant)`` gives None where a fact has nothing of that kind."""

    evidence: Evidence
    says: Callable[[Random, str], str | None]


_METRICS = (
    "营业收入",
    "净利润",
    "利息净收入",
    "手续费及佣金净收入",
    "总资产",
    "贷款总额",
    "吸收存款",
    "保费收入",
    "赔付支出",
    "经营活动现金流量净额",
    "研发费用",
    "信用减值损失",
)
_METRICS_EN = (
    "revenue",
    "net income",
    "net interest income",
    "fee income",
    "total assets",
    "operating expenses",
    "gross written premiums",
    "claims paid",
    "capital expenditure",
    "free cash flow",
    "research and development expense",
    "provision for credit losses",
)
COMPANIES = ("江城银行", "海岳人寿", "东岭证券", "北辰租赁", "云港农商银行", "")
COMPANIES_EN = ("Harbour Bank", "Northlight Insurance", "the Company", "the Group", "Kestrel Holdings")


def _amount(random: Random) -> Decimal:
    digits = random.choice((2, 3, 4, 5, 6))
    return Decimal(random.randrange(10 ** (digits - 1) + 1, 10**digits)) * 10 ** random.choice((4, 5, 6))


def wrong(random: Random, number: Decimal, others: list[Decimal]) -> Decimal:
    """Return another number: one of the others, a digit changed or two swapped, the point moved."""
    candidates = [other for other in others if other != number]
    text = write.plain(number)
    places = [place for place, one in enumerate(text) if one.isdigit() and not (one == "0" and place == len(text) - 1)]
    place = random.choice(places[:4])
    digit = random.choice([one for one in "123456789" if one != text[place]])
    candidates += [Decimal(text[:place] + digit + text[place + 1 :]), number * 10, number / 10]
    if len(text) > 1 and text[0] != text[1] and text[:2].isdigit() and text[1] != "0":
        candidates.append(Decimal(text[1] + text[0] + text[2:]))
    return random.choice(candidates)


def whole_wrong(random: Random, number: int, others: list[int]) -> int:
    """Return another whole number."""
    candidates = [other for other in others if other != number] + [
        number * 10,
        number + random.choice((1, 2, 5, 10)),
        max(1, number // 2) if number > 1 else 3,
    ]
    return random.choice([one for one in candidates if one != number])


def results_zh(random: Random) -> Story:
    """Figures of one or two periods in running text."""
    company, year = random.choice(COMPANIES), random.randrange(2015, 2026)
    part = random.choice(("", "h1", "q1", "q3"))
    metrics = random.sample(_METRICS, 3)
    amounts = {(metric, when): _amount(random) for metric in metrics for when in (year, year - 1)}
    rates = {metric: Decimal(random.randrange(11, 4999)) / 100 for metric in metrics}
    ups = {metric: random.random() < 0.6 for metric in metrics}

    def line(random: Random, metric: str, when: int, part: str, amount: str, rate: str, up: bool) -> str:
        period = write.period(random, when, part, chinese=True)
        word = random.choice(("同比增长", "较上年同期增长", "同比上升") if up else ("同比下降", "较上年同期下降", "同比减少"))
        head = random.choice(
            (f"{period},{company}实现{metric}{amount}", f"{company}{period}{metric}为{amount}", f"{company}{period}的{metric}达{amount}")
        )
        return f"{head},{word}{rate}" if rate else head

    lines = [
        line(random, one, year, part, write.money(random, amounts[one, year]), write.rate(random, rates[one], chinese=True), ups[one])
        for one in metrics
    ]
    lines += [line(random, one, year - 1, part, write.money(random, amounts[one, year - 1]), "", True) for one in metrics[:2]]
    random.shuffle(lines)
    evidence = Evidence("。".join(lines) + "。", title=f"{company}{random.choice(('业绩公告', '定期报告', '经营情况说明'))}")

    def says(random: Random, plant: str) -> str | None:
        metric = random.choice(metrics)
        amount, rate, up, when, its = amounts[metric, year], rates[metric], ups[metric], year, part
        money, share = write.money(random, amount), write.rate(random, rate, chinese=True)
        if plant == "number" and random.random() < 0.5:
            share = write.rate(random, wrong(random, rate, list(rates.values())), chinese=True)
        elif plant == "number":
            money = write.money(random, wrong(random, amount, list(amounts.values())))
        elif plant == "unit" and random.random() < 0.3:
            share = random.choice(
                (f"{write.plain(rate)}个百分点", f"{write.plain(rate)}BP", f"{write.plain(rate)}‰", f"{write.plain(rate)}倍")
            )
        elif plant == "unit":
            money = f"{write.plain(amount / 10_000)}{random.choice(('亿元', '元', '万美元', '千元', '万港元'))}"
        elif plant == "period":
            when, its = random.choice(
                ((year - 1, part), (year + 1, part), (year - 2, part), (year, "h1" if part != "h1" else ""), (year, "q2"), (year, "h2"))
            )
            if random.random() < 0.5:
                share = ""
        elif plant == "negation":
            up = not up
        return line(random, metric, when, its, money, share, up) + random.choice(("。", ""))

    return Story(evidence, says)


def results_en(random: Random) -> Story:
    """The same in English."""
    company, year = random.choice(COMPANIES_EN), random.randrange(2015, 2026)
    part = random.choice(("", "h1", "q1", "q3"))
    metrics = random.sample(_METRICS_EN, 3)
    amounts = {(metric, when): _amount(random) for metric in metrics for when in (year, year - 1)}
    rates = {metric: Decimal(random.randrange(11, 4999)) / 100 for metric in metrics}
    ups = {metric: random.random() < 0.6 for metric in metrics}

    def line(random: Random, metric: str, when: int, part: str, amount: str, rate: str, up: bool) -> str:
        period = write.period(random, when, part, chinese=False)
        if not rate:
            return random.choice(
                (f"{company} reported {metric} of {amount} in {period}", f"In {period}, {metric} of {company} was {amount}")
            )
        verb = random.choice(("increased by", "rose by", "grew by") if up else ("decreased by", "fell by", "declined by"))
        return random.choice(
            (
                f"In {period}, {metric} of {company} {verb} {rate} to {amount}",
                f"{metric.capitalize()} of {company} was {amount} in {period} and {verb} {rate}",
            )
        )

    lines = [
        line(random, one, year, part, write.dollars(random, amounts[one, year]), write.rate(random, rates[one], chinese=False), ups[one])
        for one in metrics
    ]
    lines += [line(random, one, year - 1, part, write.dollars(random, amounts[one, year - 1]), "", True) for one in metrics[:2]]
    random.shuffle(lines)
    evidence = Evidence(". ".join(lines) + ".", title=f"{company}: report to shareholders")

    def says(random: Random, plant: str) -> str | None:
        metric = random.choice(metrics)
        amount, rate, up, when, its = amounts[metric, year], rates[metric], ups[metric], year, part
        money, share = write.dollars(random, amount), write.rate(random, rate, chinese=False)
        if plant == "number" and random.random() < 0.5:
            share = write.rate(random, wrong(random, rate, list(rates.values())), chinese=False)
        elif plant == "number":
            money = write.dollars(random, wrong(random, amount, list(amounts.values())))
        elif plant == "unit" and random.random() < 0.3:
            share = random.choice((f"{write.plain(rate)} percentage points", f"{write.plain(rate)} basis points"))
        elif plant == "unit":
            million = write.plain(amount / 1_000_000)
            money = random.choice(
                (f"${million} billion", f"${million} thousand", f"€{million} million", f"RMB{million} million", f"${million}")
            )
        elif plant == "period":
            when, its = random.choice(
                ((year - 1, part), (year + 1, part), (year - 2, part), (year, "h1" if part != "h1" else ""), (year, "q2"), (year, "h2"))
            )
            if random.random() < 0.5:
                share = ""
        elif plant == "negation":
            up = not up
        return line(random, metric, when, its, money, share, up) + "."

    return Story(evidence, says)
