"""Numbers of a folded text: every way of writing one is read, and what nobody wrote is not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from otcdesk.fold import fold
from otcdesk.numbers import foreign_amounts, numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1000万", 10_000_000), ("1kw", 10_000_000), ("一千万", 10_000_000), ("壹仟萬", 10_000_000), ("0.1亿", 10_000_000),
        ("两千五百万", 25_000_000), ("1亿5千万", 150_000_000), ("三亿二", 320_000_000), ("八个亿九千万", 890_000_000),
        ("一点五亿", 150_000_000),
        ("9千4百w", 94_000_000), ("6 千 7百万", 67_000_000), ("7e3kw", 730_000_000), ("3e8", 300_000_000), ("10,000,000", 10_000_000),
        ("1500,0000", 15_000_000), ("5 mio", 5_000_000), ("ten million", 10_000_000), ("half a billion", 500_000_000),
        ("半个亿", 50_000_000),
        ("0.5个", 50_000_000), ("7百w", 7_000_000), ("敲出101,100mil的量", 100_000_000), ("２千万", 20_000_000), ("20万", 200_000),
    ],
)  # fmt: skip
def test_amounts(text: str, value: int) -> None:
    assert Decimal(value) in numbers(fold(text).text).amounts


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("敲出103", "103"), ("103-80", "80"), ("一百零二点五", "102.5"), ("百分之八十点一", "80.1"), ("九五折", "95"), ("1.20", "1.20"),
        ("收益率一点二零", "1.20"), ("中证5003个月", "3"), ("600030108/89%", "108"), ("旭盆100103-61", "103"), ("1.105%~67%", "105"),
        ("...36-month", "36"), ("twenty-four months", "24"), ("俩月", "2"), ("a month", "1"), ("锁三", "3"), ("二十四个月", "24"),
        ("１０３", "103"), ("23.5%", "23.5"), ("yield 2.3275", "2.3275"),
    ],
)  # fmt: skip
def test_numbers_as_they_stand(text: str, number: str) -> None:
    assert number in numbers(fold(text).text).plain


@pytest.mark.parametrize(
    ("text", "months"),
    [("半年", "6"), ("一年半", "18"), ("1y6m", "18"), ("两个半月", "2.5"), ("一季度", "3"), ("half a year", "6"), ("0.5年", "6")],
)
def test_times_that_are_sums(text: str, months: str) -> None:
    assert Decimal(months) in numbers(fold(text).text).times


def test_tenths_of_discounts() -> None:
    assert Decimal(80) in numbers("八折").tens and Decimal(85) in numbers("8.5折").tens and Decimal(60) in numbers("敲入六成").tens
    assert numbers("敲入8").tens == frozenset()


@pytest.mark.parametrize(
    ("text", "never"), [("名本500万", 50_000_000), ("50kw", 50 * 10**10), ("三十五w", 3_500_000_000), ("敲入53.5%", 68), ("3.2755", 755)]
)
def test_what_nobody_wrote(text: str, never: int) -> None:
    said = numbers(text)
    assert Decimal(never) not in said.amounts and str(never) not in said.plain


def test_a_text_without_numbers_has_none() -> None:
    said = numbers("茅台的看涨，麻烦报个价，谢谢")
    assert (said.plain, said.amounts, said.times) == (frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("text", "said", "never"),
    [
        ("名本1000万美金 3个月", "1000万美金", 10_000_000), ("20000w美元,要", "20000w美元", 200_000_000), ("us$10m", "us$10m", 10_000_000),
        ("规模usd 10mio的", "usd 10mio", 10_000_000), ("hk$5 mio", "hk$5 mio", 5_000_000), ("2,000,000 USD", "2,000,000 usd", 2_000_000),
        ("1000万 eur", "1000万 eur", 10_000_000), ("十万港幣", "十万港币", 100_000), ("1000w刀", "1000w刀", 10_000_000),
        ("5 million dollars 1y", "5 million dollars", 5_000_000),
    ],
)  # fmt: skip
def test_amounts_in_other_currencies_are_no_yuan(text: str, said: str, never: int) -> None:
    folded = fold(text).text
    assert foreign_amounts(folded) == [said]
    assert Decimal(never) not in numbers(folded).amounts


@pytest.mark.parametrize("text", ["¥1000万", "投一千万人民币", "1000万 european put", "euro put 1000万", "10m audit, 1000万"])
def test_amounts_in_yuan_stay(text: str) -> None:
    assert foreign_amounts(text) == [] and Decimal(10_000_000) in numbers(text).amounts


def test_a_correction_to_yuan_counts() -> None:
    assert numbers("10m usd,不对,人民币1000万").amounts >= {Decimal(10_000_000)}
